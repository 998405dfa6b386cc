import { and, asc, eq } from 'drizzle-orm';
import type { ArtifactRef } from '../contracts/artifacts.ts';
import type { RoundKey, ShardKey, StepKey } from '../contracts/activities.ts';
import type { FinishReason } from '../contracts/policy.ts';
import { insertRows } from './bulk-insert.ts';
import type { Database } from './connection.ts';
import { groups, rollouts, rolloutShards } from './schema/rollouts.ts';

export type RolloutRow = typeof rollouts.$inferSelect;

/** A finished rollout activity. */
export interface RolloutShard {
  readonly round: number;
  readonly shard: number;
  /** Token ids and log-probabilities. */
  readonly artifact: ArtifactRef;
  readonly completions: number;
  readonly generatedTokens: number;
  readonly seconds: number;
  readonly committedAt: Date;
}

/** One completion as it comes out of the policy. */
export interface NewRollout {
  /** The group. */
  readonly rank: number;
  /** Number within the group, from 0. */
  readonly index: number;
  readonly sampleId: string;
  readonly completion: string;
  readonly promptTokens: number;
  /** End token included. */
  readonly completionTokens: number;
  readonly finishReason: FinishReason;
}

/** The finished shard of that key; null before. */
export async function findShard(db: Database, key: ShardKey): Promise<RolloutShard | null> {
  const [row] = await db
    .select()
    .from(rolloutShards)
    .where(
      and(
        eq(rolloutShards.run, key.run),
        eq(rolloutShards.step, key.step),
        eq(rolloutShards.round, key.round),
        eq(rolloutShards.shard, key.shard),
      ),
    );
  return row === undefined ? null : toShard(row);
}

/** The finished shards of a step by round and shard. */
export async function shardsOfStep(db: Database, key: StepKey): Promise<RolloutShard[]> {
  const rows = await db
    .select()
    .from(rolloutShards)
    .where(and(eq(rolloutShards.run, key.run), eq(rolloutShards.step, key.step)))
    .orderBy(asc(rolloutShards.round), asc(rolloutShards.shard));
  return rows.map(toShard);
}

/** Commits a shard with its rollouts; the first one wins. Returns what is stored. */
export async function commitShard(
  db: Database,
  key: ShardKey,
  result: {
    readonly artifact: ArtifactRef;
    readonly rollouts: readonly NewRollout[];
    readonly seconds: number;
  },
): Promise<RolloutShard> {
  const { run, step, round, shard } = key;
  return db.transaction(async (tx) => {
    const inserted = await tx
      .insert(rolloutShards)
      .values({
        run,
        step,
        round,
        shard,
        artifactSha256: result.artifact.sha256,
        artifactBytes: result.artifact.bytes,
        completions: result.rollouts.length,
        generatedTokens: result.rollouts.reduce((sum, each) => sum + each.completionTokens, 0),
        generationSeconds: result.seconds,
      })
      .onConflictDoNothing()
      .returning();
    if (inserted[0] === undefined) {
      const stored = await findShard(tx, key);
      if (stored === null) throw new Error('a shard that exists could not be read');
      return stored;
    }
    await insertRows(
      tx,
      rollouts,
      result.rollouts.map((rollout) => ({ run, step, round, shard, ...rollout })),
    );
    return toShard(inserted[0]);
  });
}

/** The rollouts of one round by rank and index. */
export async function rolloutsOfRound(db: Database, key: RoundKey): Promise<RolloutRow[]> {
  return db
    .select()
    .from(rollouts)
    .where(
      and(eq(rollouts.run, key.run), eq(rollouts.step, key.step), eq(rollouts.round, key.round)),
    )
    .orderBy(asc(rollouts.rank), asc(rollouts.index));
}

/** The rollouts of a whole step by rank and index. */
export async function rolloutsOfStep(db: Database, key: StepKey): Promise<RolloutRow[]> {
  return db
    .select()
    .from(rollouts)
    .where(and(eq(rollouts.run, key.run), eq(rollouts.step, key.step)))
    .orderBy(asc(rollouts.rank), asc(rollouts.index));
}

/** The rollouts that the update trains on: those of the kept groups, by rank and index. */
export async function keptRollouts(db: Database, key: StepKey): Promise<RolloutRow[]> {
  const rows = await db
    .select({ rollout: rollouts })
    .from(rollouts)
    .innerJoin(
      groups,
      and(
        eq(groups.run, rollouts.run),
        eq(groups.step, rollouts.step),
        eq(groups.rank, rollouts.rank),
      ),
    )
    .where(and(eq(rollouts.run, key.run), eq(rollouts.step, key.step), eq(groups.state, 'kept')))
    .orderBy(asc(rollouts.rank), asc(rollouts.index));
  return rows.map((row) => row.rollout);
}

function toShard(row: typeof rolloutShards.$inferSelect): RolloutShard {
  return {
    round: row.round,
    shard: row.shard,
    artifact: { sha256: row.artifactSha256, bytes: row.artifactBytes },
    completions: row.completions,
    generatedTokens: row.generatedTokens,
    seconds: row.generationSeconds,
    committedAt: row.committedAt,
  };
}
