import { and, asc, eq } from 'drizzle-orm';
import type { StepKey } from '../contracts/activities.ts';
import type { GradientShardResult } from '../contracts/policy.ts';
import type { Database } from './connection.ts';
import { gradientShards } from './schema/gradients.ts';
import { lockStep } from './steps.ts';

/** A finished part of a gradient step. */
export interface GradientShard extends GradientShardResult {
  readonly shard: number;
  readonly shards: number;
}

/** As it is stored. */
interface CommittedGradientShard extends GradientShard {
  readonly committedAt: Date;
}

type StepOfRun = Pick<StepKey, 'run' | 'step'>;

/** The finished parts of the step under way, in their order. */
export async function gradientShardsOf(
  db: Database,
  key: StepOfRun,
): Promise<CommittedGradientShard[]> {
  const rows = await db
    .select()
    .from(gradientShards)
    .where(ofStep(key))
    .orderBy(asc(gradientShards.shard));
  return rows.map(({ artifactSha256, artifactBytes, ...row }) => ({
    ...row,
    gradients:
      artifactSha256 === null || artifactBytes === null
        ? null
        : { sha256: artifactSha256, bytes: artifactBytes },
  }));
}

/** Commits a part; the first one wins. After the step's own commit nobody needs it: nothing is written. */
export async function commitGradientShard(
  db: Database,
  key: StepKey,
  { gradients, ...part }: GradientShard,
): Promise<void> {
  await db.transaction(async (tx) => {
    const { state } = await lockStep(tx, key);
    if (state === 'committed' || state === 'skipped') return;
    await tx
      .insert(gradientShards)
      .values({
        run: key.run,
        step: key.step,
        ...part,
        artifactSha256: gradients?.sha256 ?? null,
        artifactBytes: gradients?.bytes ?? null,
      })
      .onConflictDoNothing();
  });
}

/** Forgets the parts of a step, when it is committed: their artifacts are nobody's then. */
export async function dropGradientShards(tx: Database, key: StepOfRun): Promise<void> {
  await tx.delete(gradientShards).where(ofStep(key));
}

function ofStep({ run, step }: StepOfRun) {
  return and(eq(gradientShards.run, run), eq(gradientShards.step, step));
}
