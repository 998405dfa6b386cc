import type { SelectedBatch, StepKey } from '../contracts/activities.ts';
import { evaluationByTokens, splitsDue } from '../contracts/evaluation-plan.ts';
import { reserveByImportance, reserveShuffled } from '../db/batch-selection.ts';
import type { Database } from '../db/connection.ts';
import { learningStateBefore } from '../db/curriculum.ts';
import { assignToShards, deleteGroups, groupsOfStep } from '../db/groups.ts';
import { addEvaluation, lockRun, readRun, splitsOf, type RunRow } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import {
  findRound,
  findStep,
  generatedTokensUpTo,
  insertRound,
  insertStep,
  setStepGroups,
} from '../db/steps.ts';
import { picksDynamically } from '../dscl/activation.ts';
import { divideDraw, divideShuffle, type DividedDraw } from '../dscl/drawn-batch.ts';
import { firstRoundGroups } from '../dscl/filter.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { importanceHalfLife } from './importance-half-life.ts';
import { reserveBySums, reservePermuted } from './reserve-from-large-corpus.ts';

/**
 * Picks the prompts of a step in Postgres: by importance once dynamic sampling is on, else from the epoch's seeded shuffle.
 * Candidates for every backfill round are reserved in the same draw, in its order.
 */
export async function selectBatch(
  { db }: Pick<ActivityDependencies, 'db'>,
  key: StepKey,
): Promise<SelectedBatch> {
  const committed = await findSelected(db, key);
  if (committed !== null) return committed;

  const { curriculum, activation } = await learningStateBefore(db, key.run, key.step);
  await db.transaction(async (tx) => {
    // Settings that change meanwhile hold from the next step on: see `changeSettings`.
    await lockRun(tx, key.run);
    const run = await readRunAt(tx, key.run, key.step);
    const { config } = run;
    const active = picksDynamically(activation, { ...config.sampling, sampler: config.sampler });
    const first = firstRoundGroups(config.trainBatchSize, config.oversample, run.corpusSamples);
    const isFirst = await insertStep(
      tx,
      {
        run: key.run,
        epoch: key.epoch,
        step: key.step,
        active,
        curriculumVersion: curriculum.version,
        groups: first,
      },
      {
        firstStep: (key.epoch - 1) * run.stepsPerEpoch + 1,
        lastStep: Math.min(key.epoch * run.stepsPerEpoch, run.totalSteps),
      },
    );
    if (!isFirst) return;
    if (await isEvaluatedByTokens(tx, key, run)) await addEvaluation(tx, key);
    const groups = Math.min(first * (1 + config.maxBackfillRounds), run.corpusSamples);
    await reserve(tx, key, run, active, groups);
    const { uniformShare } = config.sampling;
    const drawn = active
      ? await divideReserved(tx, key, { wanted: first, uniformShare })
      : divideShuffle(groups, first);
    const round = { ...key, round: 0 };
    const shards = await assignToShards(tx, round, drawn.first, config.rolloutShardSize);
    await insertRound(tx, round, { groups: drawn.first.length, shards });
    if (drawn.first.length < first) await setStepGroups(tx, key, drawn.first.length);
  });
  const stored = await findSelected(db, key);
  if (stored === null) throw new Error('a step that was just selected could not be read');
  return stored;
}

async function reserve(
  tx: Database,
  key: StepKey,
  run: RunRow,
  active: boolean,
  groups: number,
): Promise<void> {
  const { config, corpus, corpusSamples } = run;
  const selection = { ...key, corpus, corpusSamples, seed: config.seed, groups };
  const bySums = run.selection === 'sums';
  if (!active) return (bySums ? reservePermuted : reserveShuffled)(tx, selection);
  const { uniformShare, temperature } = config.sampling;
  return (bySums ? reserveBySums : reserveByImportance)(tx, {
    ...selection,
    uniformShare,
    temperature,
    halfLifeSteps: importanceHalfLife(run),
  });
}

/** Divides what was drawn by importance, and forgets what the step leaves alone of it. */
async function divideReserved(
  tx: Database,
  key: StepKey,
  by: Parameters<typeof divideDraw>[1],
): Promise<DividedDraw> {
  const groups = await groupsOfStep(tx, key);
  const drawn = divideDraw(
    groups.map(({ drawnImportance }) => drawnImportance),
    by,
  );
  const used = new Set([...drawn.first, ...drawn.reserve]);
  const left = groups.map(({ rank }) => rank).filter((rank) => !used.has(rank));
  await deleteGroups(tx, key, left);
  return drawn;
}

async function findSelected(db: Database, key: StepKey): Promise<SelectedBatch | null> {
  const step = await findStep(db, key);
  const round = await findRound(db, { ...key, round: 0 });
  if (step === null || round === null) return null;
  const { groups, shards } = round;
  return { groups, shards, active: step.active, evaluate: await evaluatedAfter(db, key) };
}

/** Whether the tokens generated so far ask for an evaluation after a step that is selected now. */
async function isEvaluatedByTokens(
  tx: Database,
  { run, step }: StepKey,
  { config, evaluateAt }: RunRow,
): Promise<boolean> {
  if (config.evalTokens === 0) return false;
  const latest = Math.max(0, ...evaluateAt.filter((each) => each < step));
  const generated = await generatedTokensUpTo(tx, run, step - 1);
  const evaluated = await generatedTokensUpTo(tx, run, latest);
  return evaluationByTokens(generated, evaluated, config.evalTokens);
}

/** The splits to evaluate after a step: for a step that is selected it changes no more. */
async function evaluatedAfter(db: Database, { run, step }: StepKey): Promise<readonly string[]> {
  const { evaluateAt, totalSteps } = await readRun(db, run);
  return splitsDue(step, { evaluateAt, totalSteps, splits: await splitsOf(db, run) });
}
