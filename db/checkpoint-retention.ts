import { and, asc, eq, inArray, ne, or } from 'drizzle-orm';
import type { BestMetric } from '../contracts/config.ts';
import { atCheckpoint, bestKeptSteps, type CheckpointKey } from './checkpoints.ts';
import type { Database } from './connection.ts';
import { checkpoints } from './schema/policies.ts';
import { suiteEvaluations } from './schema/suites.ts';

/** A checkpoint that no resume needs, and its artifacts. */
export interface PrunableCheckpoint extends CheckpointKey {
  readonly artifacts: readonly string[];
}

/** Which checkpoints of a run stay, besides the policy before the first step. */
export interface Retention {
  /** The newest; at least one, from which the run goes on (`saveTotalLimit`). Ends of epochs and the best do not count. */
  readonly newest: number;
  /** The best (`saveBest`) … */
  readonly best: number;
  /** … by this (`bestMetric`). */
  readonly metric: BestMetric;
  /** The newest ends of epochs; -1: all (`saveEpochs`). */
  readonly epochs: number;
  /** A multiple of it is the end of an epoch. */
  readonly stepsPerEpoch: number;
}

/**
 * Checkpoints that a run no longer keeps. {@link markPruned Mark} them, and commit that, before artifacts of theirs are deleted: killed
 * in between, nobody takes what is gone for kept.
 */
export async function prunableCheckpoints(
  db: Database,
  run: string,
  { newest, best, metric, epochs, stepsPerEpoch }: Retention,
): Promise<PrunableCheckpoint[]> {
  const rows = await db
    .select()
    .from(checkpoints)
    .where(and(eq(checkpoints.run, run), eq(checkpoints.pruned, false)))
    .orderBy(asc(checkpoints.step), asc(checkpoints.slice));
  const lastSlice = rows.filter((row) => row.step === 0).at(-1)?.slice ?? 0;
  const ends = rows.filter((row) => row.step > 0 && row.step % stepsPerEpoch === 0);
  const kept = new Set(epochs < 0 ? ends : ends.slice(Math.max(0, ends.length - epochs)));
  const bestSteps = new Set(await bestKeptSteps(db, run, metric, best));
  const spare = rows.filter((row) =>
    row.step === 0
      ? row.slice !== 0 && row.slice !== lastSlice
      : !kept.has(row) && !bestSteps.has(row.step) && row !== rows.at(-1),
  );
  const drop = spare.slice(0, Math.max(0, spare.length - Math.max(0, newest - 1)));
  return drop.map((row) => ({
    run,
    step: row.step,
    slice: row.slice,
    artifacts: artifactsOf(row),
  }));
}

/** Records that a checkpoint is no longer kept: its artifacts are deleted, unless others use them. */
export async function markPruned(db: Database, key: CheckpointKey): Promise<void> {
  await db.update(checkpoints).set({ pruned: true }).where(atCheckpoint(key));
}

/** Of artifacts of pruned checkpoints those that no kept checkpoint, and no evaluation under way, uses. */
export async function unusedArtifacts(
  db: Database,
  candidates: readonly string[],
): Promise<string[]> {
  if (candidates.length === 0) return [];
  const users = await db
    .select()
    .from(checkpoints)
    .where(
      and(
        eq(checkpoints.pruned, false),
        or(
          inArray(checkpoints.weightsSha256, candidates),
          inArray(checkpoints.optimizerSha256, candidates),
        ),
      ),
    );
  const evaluated = await db
    .select({ weights: suiteEvaluations.weightsSha256 })
    .from(suiteEvaluations)
    .where(
      and(
        ne(suiteEvaluations.state, 'completed'),
        inArray(suiteEvaluations.weightsSha256, candidates),
      ),
    );
  const needed = new Set([
    ...users.flatMap(artifactsOf),
    ...evaluated.map(({ weights }) => weights),
  ]);
  return [...new Set(candidates)].filter((sha256) => !needed.has(sha256));
}

function artifactsOf(row: typeof checkpoints.$inferSelect): string[] {
  return [row.weightsSha256, row.optimizerSha256].filter((sha256) => sha256 !== null);
}
