import { sql } from 'drizzle-orm';
import type { ArtifactRef } from '../contracts/artifacts.ts';
import type { Database } from './connection.ts';

/*
 * Which artifacts are needed is what the rows of all runs say; a new column that names artifacts belongs into
 * `referredTo`. (What a manifest of a base policy names in turn is in the manifest only.)
 */

/** Of some artifacts those to which a row of any run refers: all that a resume, an export or a fork of that run may read. */
export async function referredTo(
  db: Database,
  candidates: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await db.execute<{ sha256: string }>(sql`
    select sha256 from unnest(${sql.param([...candidates])}::text[]) candidates (sha256)
    where sha256 in (
      select base_sha256 from checkpoints
      union all select weights_sha256 from checkpoints where not pruned and weights_sha256 is not null
      union all select optimizer_sha256 from checkpoints where not pruned and optimizer_sha256 is not null
      union all select base_sha256 from suite_evaluations where state <> 'completed'
      union all select weights_sha256 from suite_evaluations where state <> 'completed' and weights_sha256 is not null
      union all select artifact_sha256 from rollout_shards
      union all select artifact_sha256 from gradient_shards where artifact_sha256 is not null
      union all select mark_sha256 from artifact_store
      union all select details->>'sha256' from events where details->>'sha256' is not null
    )`);
  return new Set(rows.map(({ sha256 }) => sha256));
}

/** The manifests of the base policies of all runs, and of evaluations that have not completed. */
export async function baseManifests(db: Database): Promise<ArtifactRef[]> {
  const { rows } = await db.execute<{ sha256: string; bytes: string }>(
    sql`select base_sha256 as sha256, base_bytes as bytes from checkpoints
      union select base_sha256, base_bytes from suite_evaluations where state <> 'completed' order by 1`,
  );
  return rows.map(({ sha256, bytes }) => ({ sha256, bytes: Number(bytes) }));
}

/** Trained weights that are kept, of the newest checkpoints. */
export async function newestWeights(db: Database, limit: number): Promise<ArtifactRef[]> {
  const { rows } = await db.execute<{ sha256: string; bytes: string }>(sql`
    select weights_sha256 as sha256, weights_bytes as bytes from checkpoints
    where not pruned and weights_sha256 is not null
    order by committed_at desc limit ${limit}`);
  return rows.map(({ sha256, bytes }) => ({ sha256, bytes: Number(bytes) }));
}

/**
 * To be called in a transaction before it looks at checkpoints to take their artifacts over into others, or to delete what no other one
 * uses: until it ends, nobody else does. It must not hold what others wait for by then.
 */
export async function lockArtifactReferences(tx: Database): Promise<void> {
  await tx.execute(sql`lock table checkpoints in share row exclusive mode`);
}
