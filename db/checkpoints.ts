import { and, desc, eq, lte, max, sql } from 'drizzle-orm';
import type { RunKey } from '../contracts/activities.ts';
import type { ArtifactRef, ArtifactStore } from '../contracts/artifacts.ts';
import type { BestMetric } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { SUITE_SPLIT } from '../contracts/evaluation-plan.ts';
import type { PolicyRef } from '../contracts/policy.ts';
import type { Database } from './connection.ts';
import { checkpoints } from './schema/policies.ts';

/** The policy after a step, or (step 0) after a slice of the warm start; slice 0 is the policy as it came. */
export interface CheckpointKey extends RunKey {
  readonly step: number;
  readonly slice: number;
}

/** Where in a run a policy stands. */
export interface PolicyPoint extends Omit<CheckpointKey, 'run'> {
  readonly policy: PolicyRef;
}

export interface Checkpoint {
  readonly policy: PolicyRef;
  /** Optimiser steps since the checkpoint before. */
  readonly optimizerSteps: number;
  /** Null when there were none. */
  readonly loss: number | null;
  /** Tokens computed in those steps. */
  readonly trainedTokens: number;
  readonly seconds: number;
}

/** The checkpoint of that key; null before it is committed. */
export async function findCheckpoint(db: Database, key: CheckpointKey): Promise<Checkpoint | null> {
  const [row] = await db.select().from(checkpoints).where(atCheckpoint(key));
  return row === undefined ? null : toCheckpoint(row);
}

/**
 * Commits a checkpoint; the first one wins. Returns what is stored.
 *
 * Between storing artifacts and this, another run that came to the same bytes may have pruned them: it cannot know of a row that is not
 * there yet. So this looks once more when the row is there; from then on whoever prunes waits for the transaction, and finds the row.
 *
 * @param stored the store to which its weights and optimiser state were given for this checkpoint; null when they are those of a
 *   checkpoint before it, which protects them
 * @throws ToolsampleError `service` when they are gone: nothing is committed, and computing and storing them again helps
 */
export async function commitCheckpoint(
  db: Database,
  key: CheckpointKey,
  checkpoint: Checkpoint,
  stored: Pick<ArtifactStore, 'has'> | null,
): Promise<Checkpoint> {
  const { base, weights, optimizer } = checkpoint.policy;
  return db.transaction(async (tx) => {
    const inserted = await tx
      .insert(checkpoints)
      .values({
        run: key.run,
        step: key.step,
        slice: key.slice,
        baseSha256: base.sha256,
        baseBytes: base.bytes,
        weightsSha256: weights?.sha256 ?? null,
        weightsBytes: weights?.bytes ?? null,
        optimizerSha256: optimizer?.sha256 ?? null,
        optimizerBytes: optimizer?.bytes ?? null,
        optimizerSteps: checkpoint.optimizerSteps,
        loss: checkpoint.loss,
        trainedTokens: checkpoint.trainedTokens,
        trainingSeconds: checkpoint.seconds,
      })
      .onConflictDoNothing()
      .returning({ run: checkpoints.run });
    // That of an earlier attempt may be pruned by now.
    if (inserted.length > 0 && stored !== null) await requireStored(stored, [weights, optimizer]);
    const row = await findCheckpoint(tx, key);
    if (row === null) throw new Error('a checkpoint that was just written could not be read');
    return row;
  });
}

async function requireStored(
  store: Pick<ArtifactStore, 'has'>,
  artifacts: readonly (ArtifactRef | null)[],
): Promise<void> {
  for (const ref of artifacts) {
    if (ref === null || (await store.has(ref))) continue;
    throw new ToolsampleError('service', 'a policy was deleted while it was being committed', {
      at: { file: ref.sha256 },
      hint: 'another run came to the same one and no longer needs it; computing it again stores it again',
    });
  }
}

/**
 * The policy that holds after a step: for step 0 the one after the last slice of the warm start.
 *
 * @throws ToolsampleError `not-found` when that step is not committed yet
 */
export async function policyAfter(db: Database, run: string, step: number): Promise<PolicyRef> {
  const [row] = await db
    .select()
    .from(checkpoints)
    .where(and(eq(checkpoints.run, run), eq(checkpoints.step, step)))
    .orderBy(desc(checkpoints.slice))
    .limit(1);
  if (row === undefined) {
    throw new ToolsampleError('not-found', `run "${run}" has no policy after step ${step}`, {
      hint: 'resume the run first',
    });
  }
  return toCheckpoint(row).policy;
}

/** When the policy after a step was committed; null before. */
export async function policyCommittedAt(
  db: Database,
  run: string,
  step: number,
): Promise<Date | null> {
  const [row] = await db
    .select({ at: max(checkpoints.committedAt) })
    .from(checkpoints)
    .where(and(eq(checkpoints.run, run), eq(checkpoints.step, step)));
  return row?.at ?? null;
}

/** The newest policy that is kept of those up to a step (default: of all), and where it stands; null before the first. */
export async function newestPolicy(
  db: Database,
  run: string,
  upToStep?: number,
): Promise<PolicyPoint | null> {
  const [row] = await db
    .select()
    .from(checkpoints)
    .where(
      and(
        eq(checkpoints.run, run),
        eq(checkpoints.pruned, false),
        upToStep === undefined ? undefined : lte(checkpoints.step, upToStep),
      ),
    )
    .orderBy(desc(checkpoints.step), desc(checkpoints.slice))
    .limit(1);
  if (row === undefined) return null;
  return { step: row.step, slice: row.slice, policy: toCheckpoint(row).policy };
}

/** The best policy that is kept, and where it stands; null before the first evaluation after a step. */
export async function bestPolicy(
  db: Database,
  run: string,
  metric: BestMetric,
): Promise<PolicyPoint | null> {
  const [step] = await bestKeptSteps(db, run, metric, 1);
  return step === undefined ? null : newestPolicy(db, run, step);
}

/** The last step whose policy is committed; 0 before the first. */
export async function committedStep(db: Database, run: string): Promise<number> {
  const [row] = await db
    .select({ step: max(checkpoints.step) })
    .from(checkpoints)
    .where(eq(checkpoints.run, run));
  return row?.step ?? 0;
}

/** The last slice of the warm start whose policy is committed; 0 before the first. Each is made from the one before it. */
export async function committedSlice(db: Database, run: string): Promise<number> {
  const [row] = await db
    .select({ slice: max(checkpoints.slice) })
    .from(checkpoints)
    .where(and(eq(checkpoints.run, run), eq(checkpoints.step, 0)));
  return row?.slice ?? 0;
}

/**
 * The steps whose policies did best, best first, of those that are kept: by the metric, then by the other of reward and exact
 * matches, then the earlier one. The policy before the first step is not among them.
 */
export async function bestKeptSteps(
  db: Database,
  run: string,
  metric: BestMetric,
  limit: number,
): Promise<number[]> {
  const split = metric === 'suite' ? sql`s.split = ${SUITE_SPLIT}` : sql`s.ordinal = 0`;
  const order =
    metric === 'reward'
      ? sql`e.reward desc, e.exact_match desc`
      : sql`e.exact_match desc, e.reward desc`;
  const { rows } = await db.execute<{ step: number }>(sql`
    select e.step from evaluations e
    join run_splits s on s.run = e.run and s.split = e.split and ${split}
    join checkpoints c on c.run = e.run and c.step = e.step and not c.pruned
    where e.run = ${run} and e.step > 0
    order by ${order}, e.step
    limit ${limit}`);
  return rows.map(({ step }) => step);
}

type CheckpointRow = typeof checkpoints.$inferSelect;

/** One checkpoint, for a WHERE. */
export function atCheckpoint(key: CheckpointKey) {
  return and(
    eq(checkpoints.run, key.run),
    eq(checkpoints.step, key.step),
    eq(checkpoints.slice, key.slice),
  );
}

function toCheckpoint(row: CheckpointRow): Checkpoint {
  return {
    policy: {
      base: { sha256: row.baseSha256, bytes: row.baseBytes },
      weights: reference(row.weightsSha256, row.weightsBytes),
      optimizer: reference(row.optimizerSha256, row.optimizerBytes),
    },
    optimizerSteps: row.optimizerSteps,
    loss: row.loss,
    trainedTokens: row.trainedTokens,
    seconds: row.trainingSeconds,
  };
}

/** An artifact in two columns, which are null together. */
export function reference(sha256: string | null, bytes: number | null): ArtifactRef | null {
  return sha256 === null || bytes === null ? null : { sha256, bytes };
}
