import { and, eq, getTableColumns, sql, type SQL } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { RunConfig } from '../contracts/config.ts';
import { lockArtifactReferences } from './artifact-references.ts';
import type { Database } from './connection.ts';
import { requireKept } from './fork-points.ts';
import { insertRun, readRun, type RunRow } from './runs.ts';
import { curriculumVersions } from './schema/learning.ts';
import { checkpoints, evaluations, evaluationSamples } from './schema/policies.ts';
import { groups, rollouts, rolloutShards } from './schema/rollouts.ts';
import { events, runs, runSplits, settingChanges } from './schema/runs.ts';
import { epochs, rounds, steps } from './schema/steps.ts';

/*
 * A fork has rows of its own for all that its parent had done: whatever becomes of the parent, it is a run like any other. Artifacts are
 * shared: they stay for as long as a row of any run names them.
 */

/** A run that takes over what another one had after a step. */
export interface Fork {
  /** Id of the new run. */
  readonly run: string;
  readonly parent: string;
  readonly step: number;
}

/** Events of what befell the parent, which are none of its state. */
const OF_ITS_LIFE = sql`('running', 'paused', 'stopped', 'failed', 'completed', 'resumed', 'request')`;

/**
 * Creates the run of a fork with what its parent was made of: data, splits, events, settings as they were for the next step.
 * Returns the parent, which cannot be deleted until the transaction ends, but is not held up.
 *
 * @throws ToolsampleError `not-found` when there is no such parent
 */
export async function insertFork(tx: Database, fork: Fork, configSha256: string): Promise<RunRow> {
  const { run, parent, step } = fork;
  await tx.select({ run: runs.run }).from(runs).where(eq(runs.run, parent)).for('key share');
  const parentRow = await readRun(tx, parent);
  const {
    state: _state,
    reason: _reason,
    requested: _requested,
    policySha256: _sha256,
    policyFolder: _folder,
    policyStep: _step,
    startedAt: _startedAt,
    finishedAt: _finishedAt,
    ...row
  } = parentRow;
  await insertRun(tx, { ...row, run, configSha256, forkOf: parent, forkStep: step }, []);
  await copyRows(tx, runSplits, fork, sql`true`);
  const changed = sql`select event from setting_changes where run = ${parent} and from_step <= ${step + 1}`;
  await copyRows(
    tx,
    events,
    fork,
    sql`(step is null or step <= ${step}) and (kind not in ${OF_ITS_LIFE} or event in (${changed}))`,
  );
  // One that was asked for this very moment is in the next copy only.
  await copyRows(
    tx,
    settingChanges,
    fork,
    sql`from_step <= ${step + 1} and event in (select event from events where run = ${run})`,
  );
  return parentRow;
}

/** How long a fork is and what it is called, which follow from its own settings. */
export type ForkPlan = Pick<RunRow, 'epochs' | 'totalSteps' | 'evaluateAt'> &
  Pick<RunConfig, 'sampler' | 'curriculum'>;

export async function setForkPlan(tx: Database, run: string, plan: ForkPlan): Promise<void> {
  await tx.update(runs).set(plan).where(eq(runs.run, run));
}

/** Copies the steps, with all that was learnt and evaluated; the epoch under way is as long as the fork's plan says. */
export async function copySteps(tx: Database, fork: Fork): Promise<void> {
  const { step } = fork;
  const { stepsPerEpoch, totalSteps } = await readRun(tx, fork.run);
  const epoch = Math.ceil(step / stepsPerEpoch);
  await copyRows(tx, epochs, fork, sql`epoch <= ${epoch}`);
  const lastStep = Math.min(epoch * stepsPerEpoch, totalSteps);
  const unfinished = {
    state: 'running',
    reward: null,
    exactMatch: null,
    fracRewardZeroStd: null,
    generatedTokens: null,
    completedAt: null,
  } as const;
  await tx
    .update(epochs)
    .set({ lastStep, ...(lastStep > step ? unfinished : {}) })
    .where(and(eq(epochs.run, fork.run), eq(epochs.epoch, epoch)));
  const upToStep = sql`step <= ${step}`;
  for (const table of [steps, rounds, groups, rolloutShards, rollouts]) {
    await copyRows(tx, table, fork, upToStep);
  }
  await copyRows(tx, curriculumVersions, fork, sql`version <= ${step}`);
  // In this order: an evaluation that is there has all of its samples.
  await copyRows(tx, evaluations, fork, upToStep);
  await copyRows(tx, evaluationSamples, fork, upToStep);
}

/**
 * Lets the fork share the policies of its parent. Last in the transaction: whoever commits or deletes a checkpoint waits from here on.
 * (Nobody waits for what the transaction has locked before, the rows of a run that did not exist: no deadlock.)
 *
 * @throws ToolsampleError `not-found` when the policy was deleted meanwhile
 */
export async function shareCheckpoints(tx: Database, fork: Fork, parent: RunRow): Promise<void> {
  await lockArtifactReferences(tx);
  await requireKept(tx, parent, fork.step);
  await copyRows(tx, checkpoints, fork, sql`step <= ${fork.step}`);
}

async function copyRows(
  tx: Database,
  table: PgTable,
  { run, parent }: Fork,
  where: SQL,
): Promise<void> {
  const names = Object.values(getTableColumns(table))
    .map(({ name }) => name)
    .filter((name) => name !== 'run')
    .map((name) => sql.identifier(name));
  const columns = sql.join(names, sql`, `);
  await tx.execute(sql`
    insert into ${table} (run, ${columns})
    select ${run}::text, ${columns} from ${table} where run = ${parent} and ${where}`);
}
