import type { FilterOutcome, RoundKey } from '../contracts/activities.ts';
import type { Database } from '../db/connection.ts';
import { assignToShards, groupsOfStep, setGroupsDecided, type GroupRow } from '../db/groups.ts';
import { weightedRewards } from '../db/reward-scores.ts';
import type { RunRow } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { findRound, insertRound, lockRound, setRoundFiltered, type RoundRow } from '../db/steps.ts';
import { backfillGroups, hasSignal } from '../dscl/filter.ts';
import type { ActivityDependencies } from './dependencies.ts';

/**
 * Drops the groups of a round that carry no gradient and, while groups are missing, plans the next round from the reserved
 * candidates. Every kept group is trained on, those beyond the batch size too: their tokens are spent already. [ours]
 */
export async function filterGroups(
  { db }: Pick<ActivityDependencies, 'db'>,
  key: RoundKey,
): Promise<FilterOutcome> {
  const committed = await findRound(db, key);
  if (committed?.filteredAt) return outcome(committed);

  const run = await readRunAt(db, key.run, key.step);
  await db.transaction(async (tx) => {
    const round = await lockRound(tx, key);
    if (round.filteredAt !== null) return;
    if (round.scoredAt === null) throw new Error(`round ${key.round} was not scored yet`);
    await decide(tx, key, run.config.filterGroups);
    await planNext(tx, key, run, await groupsOfStep(tx, key));
  });
  const stored = await findRound(db, key);
  if (stored === null) throw new Error('a round that was just filtered could not be read');
  return outcome(stored);
}

async function decide(tx: Database, key: RoundKey, filter: boolean): Promise<void> {
  const rewards = new Map<number, number[]>();
  for (const { rank, weightedReward } of await weightedRewards(tx, key)) {
    if (weightedReward === null) throw new Error(`a rollout of group ${rank} was not scored`);
    rewards.set(rank, [...(rewards.get(rank) ?? []), weightedReward]);
  }
  const ranks = [...rewards.keys()];
  const keeps = (rank: number): boolean => !filter || hasSignal(rewards.get(rank) ?? []);
  await setGroupsDecided(tx, key, 'kept', null, ranks.filter(keeps));
  await setGroupsDecided(
    tx,
    key,
    'dropped',
    'zero-variance',
    ranks.filter((rank) => !keeps(rank)),
  );
}

async function planNext(
  tx: Database,
  key: RoundKey,
  { config }: RunRow,
  groups: readonly GroupRow[],
): Promise<void> {
  const kept = groups.filter(({ state }) => state === 'kept').length;
  const dropped = groups.filter(({ state }) => state === 'dropped').length;
  const candidates = groups.filter(({ state }) => state === 'reserved').map(({ rank }) => rank);
  const wanted = backfillGroups({
    kept,
    wanted: config.trainBatchSize,
    round: key.round,
    maxBackfillRounds: config.filterGroups ? config.maxBackfillRounds : 0,
    oversample: config.oversample,
    remaining: candidates.length,
  });
  let backfillShards = 0;
  if (wanted > 0) {
    const next = { ...key, round: key.round + 1 };
    const ranks = candidates.slice(0, wanted);
    backfillShards = await assignToShards(tx, next, ranks, config.rolloutShardSize);
    await insertRound(tx, next, { groups: wanted, shards: backfillShards });
  }
  await setRoundFiltered(tx, key, { kept, dropped, backfillShards });
}

function outcome({ kept, dropped, backfillShards }: RoundRow): FilterOutcome {
  if (kept === null || dropped === null || backfillShards === null) {
    throw new Error('a filtered round has no outcome');
  }
  return { kept, dropped, backfillShards };
}
