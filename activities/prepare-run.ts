import { sql } from 'drizzle-orm';
import type { LightActivities, RunPlan } from '../contracts/activities.ts';
import type { RunConfig, RunConfigInput } from '../contracts/config.ts';
import { INITIAL_CURRICULUM } from '../contracts/curriculum.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { LARGE_CORPUS } from '../contracts/large-corpus.ts';
import type { PolicyRef } from '../contracts/policy.ts';
import { shellWord } from '../contracts/shell-word.ts';
import { jsonSha256 } from '../db/canonical-json.ts';
import { commitCheckpoint } from '../db/checkpoints.ts';
import type { Database } from '../db/connection.ts';
import { insertLearningState } from '../db/curriculum.ts';
import { recordEvent } from '../db/events.ts';
import { findRun, insertRun, type RunRow } from '../db/runs.ts';
import { INITIAL_ACTIVATION } from '../dscl/activation.ts';
import { storedArchitecture } from '../policy/checkpoint/base-weights.ts';
import { parameterCount } from '../policy/models/model-traits.ts';
import { forkInput } from '../services/configuration/fork-input.ts';
import { resolveConfig } from '../services/configuration/resolve.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { markResumed } from './mark-resumed.ts';
import { checkNewRun } from './memory-check.ts';
import { prepareFork } from './prepare-fork.ts';
import { ingestRunData, type RunData, type StoredData } from './run-data.ts';
import { runPlan } from './run-plan.ts';
import { runSchedule } from './run-schedule.ts';
import { startingPolicy } from './starting-policy.ts';
import { warmStartSlices } from './warm-start-slices.ts';

/**
 * Makes a run ready: configuration, policy and data, checked and stored, all rows in one transaction; or, as a fork, what another run
 * had. A run that exists already goes on where it was; its configuration cannot change.
 *
 * @throws ToolsampleError `config`, `dataset`, `checkpoint`, `tokenizer` or `not-found` for what the user has to change
 */
export async function prepareRun(
  deps: Pick<ActivityDependencies, 'db' | 'artifacts' | 'policyText'>,
  { run, config }: Parameters<LightActivities['prepareRun']>[0],
): Promise<RunPlan> {
  const fork = forkInput(config);
  if (fork === null) await prepareNew(deps, run, config);
  else await prepareFork(deps, run, fork);
  return runPlan(deps.db, run);
}

async function prepareNew(
  deps: Pick<ActivityDependencies, 'db' | 'artifacts' | 'policyText'>,
  run: string,
  input: RunConfigInput,
): Promise<void> {
  const { db } = deps;
  const existing = await findRun(db, run);
  if (existing !== null) {
    requireSame(existing, input);
    return markResumed(db, run);
  }

  const config = resolveConfig(input);
  const policy = await startingPolicy(config, deps.artifacts);
  const parameters = config.backend === 'onnx' ? await ownParameters(deps, policy, config) : null;
  const text = await deps.policyText(policy.base);
  await db.transaction(async (tx) => {
    // Two attempts at once: the second waits, and finds the run of the first.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${run}, 0))`);
    if ((await findRun(tx, run)) !== null) return;
    const data = await ingestRunData(tx, config, text);
    await createRun(
      tx,
      run,
      config,
      { policy, parameters, contextLength: text.contextLength },
      data,
    );
  });
  const created = await findRun(db, run);
  if (created === null) throw new Error('a run that was just created could not be read');
  // Postgres is told at once how a large corpus looks, for its plans.
  if (created.selection === 'sums') await db.execute(sql`analyze samples`);
}

/** How many parameters our own engine trains on. @throws ToolsampleError `config` where `memory_limit` is too small */
async function ownParameters(
  { artifacts }: Pick<ActivityDependencies, 'artifacts'>,
  policy: PolicyRef,
  config: RunConfig,
): Promise<number> {
  const { traits } = await storedArchitecture(policy.base, artifacts);
  checkNewRun(traits, config);
  return parameterCount(traits);
}

function requireSame(run: RunRow, input: RunConfigInput): void {
  // As resuming gives it back: what an older version accepted, this one need not.
  if (jsonSha256(run.config) === jsonSha256(input)) return;
  const config = resolveConfig(input);
  if (jsonSha256(run.config) === jsonSha256(config)) return;
  throw new ToolsampleError('config', `the run "${run.run}" exists with another configuration`, {
    at: { field: firstDifference(run.config, config) },
    hint: `\`toolsample resume ${shellWord(run.run)}\` goes on with its own; for another configuration choose another run id`,
  });
}

interface StartingPolicy {
  readonly policy: PolicyRef;
  /** Null: those of a training service, which does not tell. */
  readonly parameters: number | null;
  /** Tokens. */
  readonly contextLength: number;
}

async function createRun(
  tx: Database,
  run: string,
  config: RunConfig,
  start: StartingPolicy,
  data: RunData,
): Promise<void> {
  const { policy, parameters, contextLength } = start;
  const { train, splits } = data;
  const schedule = runSchedule(config, train.samples);
  await insertRun(
    tx,
    {
      run,
      policy: config.policy,
      sampler: config.sampler,
      curriculum: config.curriculum,
      config,
      configSha256: jsonSha256(config),
      corpus: train.corpus,
      corpusSamples: train.samples,
      selection: train.samples >= LARGE_CORPUS ? 'sums' : 'scan',
      rejectedRows: train.leftOut.rejectedRows,
      overlongPrompts: train.leftOut.overlongPrompts,
      policyParameters: parameters,
      contextLength,
      ...schedule,
      evaluateAt: [...schedule.evaluateAt],
      warmStartSlices: warmStartSlices(config.warmStart, parameters ?? 0).length,
    },
    splits.map(({ split, corpus }) => ({ split, corpus })),
  );
  await commitCheckpoint(
    tx,
    { run, step: 0, slice: 0 },
    { policy, optimizerSteps: 0, loss: null, trainedTokens: 0, seconds: 0 },
    // Nobody prunes what a policy came with.
    null,
  );
  await insertLearningState(tx, run, {
    curriculum: INITIAL_CURRICULUM,
    activation: INITIAL_ACTIVATION,
  });
  const held = splits.map(({ split, samples }) => `${samples} ${split}`).join(', ');
  await recordEvent(tx, run, {
    event: 'prepared',
    kind: 'prepared',
    message: `${train.samples} samples of ${train.source} to train on; held out: ${held === '' ? 'none' : held}`,
  });
  await reportLeftOut(tx, run, 'train', train);
  for (const split of splits) await reportLeftOut(tx, run, split.split, split);
}

async function reportLeftOut(
  tx: Database,
  run: string,
  part: string,
  { source, leftOut }: StoredData,
): Promise<void> {
  const { rows, rejectedRows, overlongPrompts, examples } = leftOut;
  const [example] = examples;
  if (example === undefined) return;
  const field = example.field === undefined ? '' : `, field "${example.field}"`;
  await recordEvent(tx, run, {
    event: `rejected-rows/${part}`,
    kind: 'rejected-rows',
    message:
      `${rejectedRows + overlongPrompts} of ${rows} rows of ${source} were left out: ` +
      `${rejectedRows} not usable, ${overlongPrompts} with too long a prompt; ` +
      `e.g. row ${example.row}${field}: ${example.reason}`,
    details: {
      part,
      rows,
      rejectedRows,
      overlongPrompts,
      examples: examples.map((row) => ({ ...row })),
    },
  });
}

function firstDifference(stored: RunConfig, given: RunConfig): string {
  const keys = Object.keys(given) as (keyof RunConfig)[];
  return keys.find((key) => jsonSha256(stored[key]) !== jsonSha256(given[key])) ?? 'config';
}
