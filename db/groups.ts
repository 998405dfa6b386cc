import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type { RoundKey, ShardKey, StepKey } from '../contracts/activities.ts';
import type { Sample } from '../contracts/sample.ts';
import type { Database } from './connection.ts';
import { toSample } from './corpora.ts';
import { samples } from './schema/corpora.ts';
import { groups, type DropReason } from './schema/rollouts.ts';

export type GroupRow = typeof groups.$inferSelect;

/** A prompt to roll out. */
export interface ShardGroup {
  /** Order of the draw; names the group within its step. */
  readonly rank: number;
  readonly sample: Sample;
}

/** The prompts of one rollout activity, in the order of the draw. */
export async function groupsOfShard(db: Database, key: ShardKey): Promise<ShardGroup[]> {
  const rows = await db
    .select({ rank: groups.rank, sample: samples })
    .from(groups)
    .innerJoin(
      samples,
      and(eq(samples.corpus, groups.corpus), eq(samples.sampleId, groups.sampleId)),
    )
    .where(
      and(
        eq(groups.run, key.run),
        eq(groups.step, key.step),
        eq(groups.round, key.round),
        eq(groups.shard, key.shard),
      ),
    )
    .orderBy(asc(groups.rank));
  return rows.map((row) => ({ rank: row.rank, sample: toSample(row.sample) }));
}

/** The groups of one round, in the order of the draw. */
export async function groupsOfRound(db: Database, key: RoundKey): Promise<GroupRow[]> {
  return db
    .select()
    .from(groups)
    .where(and(eq(groups.run, key.run), eq(groups.step, key.step), eq(groups.round, key.round)))
    .orderBy(asc(groups.rank));
}

/** All groups of a step, candidates for backfill included, in the order of the draw. */
export async function groupsOfStep(db: Database, key: StepKey): Promise<GroupRow[]> {
  return db
    .select()
    .from(groups)
    .where(and(eq(groups.run, key.run), eq(groups.step, key.step)))
    .orderBy(asc(groups.rank));
}

/** Gives groups to shards of a round: consecutive ranks, `shardSize` at most each. Returns the number of shards. */
export async function assignToShards(
  db: Database,
  key: RoundKey,
  ranks: readonly number[],
  shardSize: number,
): Promise<number> {
  const shards = ranks.map((_, place) => Math.floor(place / shardSize));
  await db.execute(sql`
    update groups set round = ${key.round}, shard = t.shard, state = 'drawn'
    from unnest(${sql.param(ranks)}::integer[], ${sql.param(shards)}::integer[]) t (rank, shard)
    where groups.run = ${key.run} and groups.step = ${key.step} and groups.rank = t.rank
      and groups.state = 'reserved'`);
  return Math.ceil(ranks.length / shardSize);
}

/** Decides groups of a step: kept for the update, or dropped and why. */
export async function setGroupsDecided(
  db: Database,
  key: StepKey,
  state: 'kept' | 'dropped',
  dropReason: DropReason | null,
  ranks: readonly number[],
): Promise<void> {
  if (ranks.length === 0) return;
  await db.update(groups).set({ state, dropReason }).where(atRanks(key, ranks));
}

/** Forgets groups that were drawn for a step and that it leaves alone. */
export async function deleteGroups(
  db: Database,
  key: StepKey,
  ranks: readonly number[],
): Promise<void> {
  if (ranks.length === 0) return;
  await db.delete(groups).where(atRanks(key, ranks));
}

/** Forgets the candidates for backfill that a finished step did not need. */
export async function deleteReserved(db: Database, key: StepKey): Promise<void> {
  await db
    .delete(groups)
    .where(and(eq(groups.run, key.run), eq(groups.step, key.step), eq(groups.state, 'reserved')));
}

function atRanks({ run, step }: StepKey, ranks: readonly number[]) {
  return and(eq(groups.run, run), eq(groups.step, step), inArray(groups.rank, [...ranks]));
}
