import { and, asc, desc, eq, inArray, or, sql } from 'drizzle-orm';
import type { ExportKey, StepKey } from '../contracts/activities.ts';
import { LATER_SETTINGS } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { RUN_STATES, type RunState } from '../contracts/run-status.ts';
import type { Database } from './connection.ts';
import { recordEvent } from './events.ts';
import { runs, runSplits } from './schema/runs.ts';
import { epochs } from './schema/steps.ts';

export type RunRow = typeof runs.$inferSelect;

/**
 * A run as it was started, or null when there is none of that id. What holds at a step: {@link
 * import('./setting-changes.ts').readRunAt}.
 */
export async function findRun(db: Database, run: string): Promise<RunRow | null> {
  const [row] = await findRuns(db, [run]);
  return row ?? null;
}

/** Those of some runs that there are, in no order. */
export async function findRuns(db: Database, ids: readonly string[]): Promise<RunRow[]> {
  const rows = await db
    .select()
    .from(runs)
    .where(inArray(runs.run, [...ids]));
  // An older version prepared it: resumed by this one, it goes on.
  return rows.map((row) => ({ ...row, config: { ...LATER_SETTINGS, ...row.config } }));
}

/** Ids of the runs in some states, newest first. What a user means by a name is looked up in them: they are cheap, a run's status is not. */
export async function runIds(
  db: Database,
  states: readonly RunState[] = RUN_STATES,
): Promise<string[]> {
  const rows = await db
    .select({ run: runs.run })
    .from(runs)
    .where(inArray(runs.state, [...states]))
    .orderBy(desc(runs.startedAt), asc(runs.run));
  return rows.map(({ run }) => run);
}

/** The runs that are under way or paused, or lost their machine, and those that ended within so many seconds. */
export async function currentRuns(db: Database, endedWithin: number): Promise<string[]> {
  const rows = await db
    .select({ run: runs.run })
    .from(runs)
    .where(
      or(
        inArray(runs.state, ['running', 'paused']),
        sql`${runs.finishedAt} > now() - make_interval(secs => ${endedWithin})`,
      ),
    )
    .orderBy(asc(runs.run));
  return rows.map(({ run }) => run);
}

/** @throws ToolsampleError `not-found` */
export async function readRun(db: Database, run: string): Promise<RunRow> {
  const row = await findRun(db, run);
  if (row === null) {
    throw new ToolsampleError('not-found', `there is no run "${run}"`, {
      hint: '`toolsample runs` lists them',
    });
  }
  return row;
}

/** Reads a run and holds its row until the transaction ends: what changes settings and what selects steps come one after the other. */
export async function lockRun(tx: Database, run: string): Promise<RunRow> {
  await tx.select({ run: runs.run }).from(runs).where(eq(runs.run, run)).for('no key update');
  return readRun(tx, run);
}

/** Plans an evaluation after a step. */
export async function addEvaluation(
  tx: Database,
  { run, step }: Pick<StepKey, 'run' | 'step'>,
): Promise<void> {
  await tx
    .update(runs)
    .set({
      evaluateAt: sql`array(select distinct s from unnest(${runs.evaluateAt} || ${step}::integer) s order by s)`,
    })
    .where(eq(runs.run, run));
}

/** Makes a step the last one of its run, and of its epoch; evaluations that were planned for later fall to it. */
export async function endRunWith(tx: Database, { run, epoch, step }: StepKey): Promise<void> {
  await tx
    .update(runs)
    .set({
      totalSteps: step,
      epochs: epoch,
      evaluateAt: sql`array(select s from unnest(${runs.evaluateAt}) s where s < ${step} order by s) || ${step}::integer`,
    })
    .where(eq(runs.run, run));
  await tx
    .update(epochs)
    .set({ lastStep: step })
    .where(and(eq(epochs.run, run), eq(epochs.epoch, epoch)));
}

/** What a fork has besides. */
type ForkColumn = 'forkOf' | 'forkStep';

export type NewRun = Omit<
  RunRow,
  | 'state'
  | 'reason'
  | 'requested'
  | 'policySha256'
  | 'policyFolder'
  | 'policyStep'
  | 'startedAt'
  | 'finishedAt'
  | ForkColumn
> &
  Partial<Pick<RunRow, ForkColumn>>;

/** Creates a run with its held-out splits (corpora by name, in order). */
export async function insertRun(
  tx: Database,
  run: NewRun,
  splits: readonly { readonly split: string; readonly corpus: string }[],
): Promise<void> {
  await tx.insert(runs).values({ ...run, state: 'running' });
  if (splits.length === 0) return;
  await tx
    .insert(runSplits)
    .values(splits.map((each, ordinal) => ({ run: run.run, ordinal, ...each })));
}

/** Whether anything beyond its preparation was committed; of a fork, anything of its own. */
export async function hasStarted(
  db: Database,
  { run, forkStep }: Pick<RunRow, 'run' | 'forkStep'>,
): Promise<boolean> {
  const own = sql`run = ${run} and step > ${forkStep ?? -1}`;
  const result = await db.execute<{ started: boolean }>(sql`
    select exists (select from steps where ${own})
      or exists (select from evaluation_samples where ${own})
      or exists (select from checkpoints where ${own} and slice > 0) as started`);
  return result.rows[0]?.started === true;
}

/** Names of the held-out splits, in order. */
export async function splitsOf(db: Database, run: string): Promise<string[]> {
  const rows = await db
    .select({ split: runSplits.split })
    .from(runSplits)
    .where(eq(runSplits.run, run))
    .orderBy(asc(runSplits.ordinal));
  return rows.map((row) => row.split);
}

/** Sets that a run goes on, whatever ended or interrupted it, which settles what was asked of it. A completed run stays completed. */
export async function setRunResumed(db: Database, run: string): Promise<void> {
  await db
    .update(runs)
    .set({ state: 'running', reason: null, requested: null, finishedAt: null })
    .where(and(eq(runs.run, run), inArray(runs.state, ['running', 'paused', 'failed', 'stopped'])));
}

/**
 * Sets what a run under way is doing, or how it ended, which settles what was asked of it. One that has ended stays as it is until it is
 * resumed: only then can it end again. To be called in a transaction.
 *
 * @returns whether it has another state now
 */
export async function setRunState(
  tx: Database,
  run: string,
  state: Exclude<RunState, 'completed'>,
  reason: string | null,
): Promise<boolean> {
  const [before] = await tx
    .select({ state: runs.state })
    .from(runs)
    .where(and(eq(runs.run, run), inArray(runs.state, ['running', 'paused'])))
    .for('no key update');
  if (before === undefined) return false;
  const ended = state === 'failed' || state === 'stopped';
  await tx
    .update(runs)
    .set({ state, reason, requested: null, finishedAt: ended ? sql`now()` : null })
    .where(eq(runs.run, run));
  return before.state !== state;
}

export interface ExportedPolicy {
  /** SHA-256 of `model.safetensors`. */
  readonly sha256: string;
  readonly folder: string;
}

/** The exported policy of a completed run; null before. */
export async function readExport(db: Database, run: string): Promise<ExportedPolicy | null> {
  const { state, policySha256, policyFolder } = await readRun(db, run);
  return state !== 'completed' || policySha256 === null || policyFolder === null
    ? null
    : { sha256: policySha256, folder: policyFolder };
}

/**
 * Records the exported policy of a step and, unless the run was only stopped, completes it. To be called in a transaction that has
 * {@link lockRun locked} the run and found it not completed.
 */
export async function commitExport(
  tx: Database,
  { run, step, stopped = false }: Pick<ExportKey, 'run' | 'step' | 'stopped'>,
  exported: ExportedPolicy,
): Promise<void> {
  const policy = {
    policySha256: exported.sha256,
    policyFolder: exported.folder,
    policyStep: step,
  };
  const completed = {
    state: 'completed',
    reason: null,
    requested: null,
    finishedAt: sql`now()`,
  } as const;
  await tx
    .update(runs)
    .set(stopped ? policy : { ...policy, ...completed })
    .where(eq(runs.run, run));
  if (stopped) return;
  await recordEvent(tx, run, {
    event: 'completed',
    kind: 'completed',
    message: `completed; the policy lies in ${exported.folder}`,
    details: { policySha256: exported.sha256 },
  });
}
