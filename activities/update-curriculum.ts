import type { CurriculumSummary, StepKey } from '../contracts/activities.ts';
import type { RunConfig } from '../contracts/config.ts';
import { SUB_TASKS, type PerSubTask } from '../contracts/reward.ts';
import {
  findLearningState,
  insertLearningState,
  learningStateBefore,
  type LearningState,
} from '../db/curriculum.ts';
import type { Database } from '../db/connection.ts';
import { recordEvent } from '../db/events.ts';
import { meanImportance, updateSums } from '../db/importance-sums.ts';
import { deleteReserved, groupsOfStep, type GroupRow } from '../db/groups.ts';
import { scoresOfStep } from '../db/reward-scores.ts';
import { shardsOfStep } from '../db/rollouts.ts';
import {
  nothingLeft,
  rewardRanges,
  statisticsOf,
  writeStatistics,
  type AssessedStatistics,
} from '../db/sample-statistics.ts';
import type { RunRow } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { findStep, lockStep, roundsOfStep, setStepLearned } from '../db/steps.ts';
import { nextActivation } from '../dscl/activation.ts';
import { nextCurriculum } from '../dscl/curriculum.ts';
import { poolEvidence } from '../dscl/mastery.ts';
import type { RewardRange } from '../dscl/signals.ts';
import { visitSample } from '../dscl/statistics.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { importanceHalfLife } from './importance-half-life.ts';
import { assessed } from './sample-assessment.ts';
import { requireScored, stepMetrics, type ScoredRow } from './step-metrics.ts';

/**
 * Learns from a step's rollouts what to sample and weight next: sample statistics, activation and curriculum, all from
 * unweighted rewards. They commit with the step's metrics in one transaction, so that they agree after any crash.
 */
export async function updateCurriculum(
  { db }: Pick<ActivityDependencies, 'db'>,
  key: StepKey,
): Promise<CurriculumSummary> {
  const step = await findStep(db, key);
  if (step === null || step.state === 'selected') {
    await db.transaction((tx) => learn(tx, key));
  }
  const state = await findLearningState(db, key.run, key.step);
  if (state === null) throw new Error('a step that has learned has no curriculum');
  return summary(state);
}

async function learn(tx: Database, key: StepKey): Promise<void> {
  const step = await lockStep(tx, key);
  if (step.state !== 'selected') return;
  const unfiltered = (await roundsOfStep(tx, key)).find(({ filteredAt }) => filteredAt === null);
  if (unfiltered !== undefined) throw new Error(`round ${unfiltered.round} was not filtered yet`);

  const run = await readRunAt(tx, key.run, key.step);
  const { config, corpus } = run;
  const groups = (await groupsOfStep(tx, key)).filter(({ state }) => state !== 'reserved');
  const rollouts = requireScored(await scoresOfStep(tx, key));
  const ids = groups.map(({ sampleId }) => sampleId);
  const ranges = await rewardRanges(tx, corpus, ids);
  const metrics = stepMetrics({ rollouts, groups, shards: await shardsOfStep(tx, key), ranges });
  const before = await learningStateBefore(tx, key.run, key.step);

  await writeStatistics(tx, run, await visited(tx, key, config, groups, rollouts, ranges));
  const remaining = await importanceRemains(tx, run, ids);
  await insertLearningState(tx, key.run, {
    curriculum: nextCurriculum(before.curriculum, poolEvidence(rollouts.map(evidence)), config),
    activation: nextActivation(before.activation, metrics.reward ?? 0, config.sampling),
  });
  await setStepLearned(tx, key, metrics);
  await deleteReserved(tx, key);
  if (!remaining) {
    await recordEvent(tx, key.run, {
      event: 'all_mastered',
      kind: 'all_mastered',
      step: key.step,
      message: `after step ${key.step} no sample has any importance left: dynamic sampling draws evenly`,
    });
  }
}

/** Whether any sample has importance left; in a run that picks by sums, these are brought up to date first. */
async function importanceRemains(
  tx: Database,
  run: RunRow,
  visitedIds: readonly string[],
): Promise<boolean> {
  const { corpusSamples } = run;
  if (run.selection === 'scan') return !(await nothingLeft(tx, run.run, corpusSamples));
  const of = { run: run.run, corpusSamples, halfLife: importanceHalfLife(run) };
  await updateSums(tx, of, visitedIds);
  const { average, unvisited } = await meanImportance(tx, of);
  return average > 0 || unvisited > 0;
}

async function visited(
  tx: Database,
  key: StepKey,
  config: RunConfig,
  groups: readonly GroupRow[],
  rollouts: readonly ScoredRow[],
  ranges: ReadonlyMap<string, RewardRange>,
): Promise<(AssessedStatistics & { readonly sampleId: string })[]> {
  const known = await statisticsOf(
    tx,
    key.run,
    groups.map(({ sampleId }) => sampleId),
  );
  return groups.map(({ rank, sampleId }) => {
    const rewards = rollouts.filter((row) => row.rank === rank).map(({ reward }) => reward);
    const range = ranges.get(sampleId);
    if (range === undefined) throw new Error(`sample "${sampleId}" is not in the corpus`);
    const statistics = visitSample(known.get(sampleId) ?? null, rewards, key.step);
    return { sampleId, ...assessed(statistics, range, config) };
  });
}

function evidence(row: ScoredRow): Parameters<typeof poolEvidence>[0][number] {
  return {
    conditional: {
      format: tally(row.formatSuccesses, row.formatTrials),
      name: tally(row.nameSuccesses, row.nameTrials),
      key: tally(row.keySuccesses, row.keyTrials),
      value: tally(row.valueSuccesses, row.valueTrials),
    },
  };
}

function tally(successes: number | null, trials: number | null) {
  return { successes: successes ?? 0, trials: trials ?? 0 };
}

function summary({ curriculum, activation }: LearningState): CurriculumSummary {
  return {
    version: curriculum.version,
    active: activation.active,
    mastery: inShort(curriculum.mastery),
    weights: inShort(curriculum.weights),
  };
}

/** E.g. `format .99 · name 1.00 · key – · value .62`. */
function inShort(values: PerSubTask<number | null>): string {
  return SUB_TASKS.map((task) => {
    const value = values[task];
    return `${task} ${value === null ? '–' : value.toFixed(2).replace(/^0\./, '.')}`;
  }).join(' · ');
}
