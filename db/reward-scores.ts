import { and, asc, eq, sql } from 'drizzle-orm';
import type { RoundKey, StepKey } from '../contracts/activities.ts';
import type { PerSubTask, RewardBreakdown } from '../contracts/reward.ts';
import type { Database } from './connection.ts';
import type { RolloutRow } from './rollouts.ts';
import { rollouts } from './schema/rollouts.ts';
import { rounds } from './schema/steps.ts';
import { atRound, lockRound, type RoundRow } from './steps.ts';

/** A rollout's reward taken apart. */
export interface ScoredRollout extends Pick<
  RewardBreakdown,
  'scores' | 'reward' | 'exactMatch' | 'parseable' | 'conditional'
> {
  readonly rank: number;
  readonly index: number;
  /** Under the step's curriculum. */
  readonly weightedReward: number;
}

/** A group's rewards in short. */
export interface ScoredGroup {
  readonly rank: number;
  readonly reward: number;
  readonly rewardStd: number;
  readonly weightedReward: number;
  readonly weightedRewardStd: number;
  readonly exactMatch: number;
}

export interface RoundScores {
  readonly curriculumVersion: number;
  readonly rollouts: readonly ScoredRollout[];
  readonly groups: readonly ScoredGroup[];
  /** Means over the round. */
  readonly reward: number;
  readonly rewardStd: number;
  readonly exactMatch: number;
}

/** Commits the rewards of a round; the first one wins. Returns the stored row of the round. */
export async function commitScores(
  db: Database,
  key: RoundKey,
  scores: RoundScores,
): Promise<RoundRow> {
  return db.transaction(async (tx) => {
    const round = await lockRound(tx, key);
    if (round.scoredAt !== null) return round;
    await writeRollouts(tx, key, scores);
    await writeGroups(tx, key, scores.groups);
    const { reward, rewardStd, exactMatch } = scores;
    const [stored] = await tx
      .update(rounds)
      .set({ reward, rewardStd, exactMatch, scoredAt: sql`now()` })
      .where(atRound(key))
      .returning();
    if (stored === undefined) throw new Error('a locked round could not be updated');
    return stored;
  });
}

/** What learning reads of each of a step's completions: not its text, of which there are megabytes in a large step. */
const LEARNED_FROM = {
  rank: rollouts.rank,
  sampleId: rollouts.sampleId,
  completionTokens: rollouts.completionTokens,
  finishReason: rollouts.finishReason,
  scoreFormat: rollouts.scoreFormat,
  scoreName: rollouts.scoreName,
  scoreKey: rollouts.scoreKey,
  scoreValue: rollouts.scoreValue,
  reward: rollouts.reward,
  weightedReward: rollouts.weightedReward,
  exactMatch: rollouts.exactMatch,
  formatSuccesses: rollouts.formatSuccesses,
  formatTrials: rollouts.formatTrials,
  nameSuccesses: rollouts.nameSuccesses,
  nameTrials: rollouts.nameTrials,
  keySuccesses: rollouts.keySuccesses,
  keyTrials: rollouts.keyTrials,
  valueSuccesses: rollouts.valueSuccesses,
  valueTrials: rollouts.valueTrials,
};

/** The scores of a completion; null where it was not scored. */
export type RolloutScores = Pick<RolloutRow, keyof typeof LEARNED_FROM>;

/** The scores of a whole step by rank and index. */
export async function scoresOfStep(db: Database, { run, step }: StepKey): Promise<RolloutScores[]> {
  return db
    .select(LEARNED_FROM)
    .from(rollouts)
    .where(and(eq(rollouts.run, run), eq(rollouts.step, step)))
    .orderBy(asc(rollouts.rank), asc(rollouts.index));
}

/** The weighted rewards of a round's completions by rank and index; null where one was not scored. */
export async function weightedRewards(
  db: Database,
  { run, step, round }: RoundKey,
): Promise<Pick<RolloutRow, 'rank' | 'weightedReward'>[]> {
  return db
    .select({ rank: rollouts.rank, weightedReward: rollouts.weightedReward })
    .from(rollouts)
    .where(and(eq(rollouts.run, run), eq(rollouts.step, step), eq(rollouts.round, round)))
    .orderBy(asc(rollouts.rank), asc(rollouts.index));
}

async function writeRollouts(tx: Database, key: RoundKey, scores: RoundScores): Promise<void> {
  const rows = scores.rollouts;
  const floats = (value: (row: ScoredRollout) => number) =>
    sql`${sql.param(rows.map(value))}::float8[]`;
  const integers = (value: (row: ScoredRollout) => number) =>
    sql`${sql.param(rows.map(value))}::integer[]`;
  const tally = (task: keyof PerSubTask) =>
    sql`${integers((row) => row.conditional[task].successes)}, ${integers((row) => row.conditional[task].trials)}`;
  await tx.execute(sql`
    update rollouts set
      curriculum_version = ${scores.curriculumVersion},
      score_format = t.score_format, score_name = t.score_name,
      score_key = t.score_key, score_value = t.score_value,
      reward = t.reward, weighted_reward = t.weighted_reward,
      exact_match = t.exact_match, parseable = t.parseable,
      format_successes = t.format_successes, format_trials = t.format_trials,
      name_successes = t.name_successes, name_trials = t.name_trials,
      key_successes = t.key_successes, key_trials = t.key_trials,
      value_successes = t.value_successes, value_trials = t.value_trials
    from unnest(
      ${integers((row) => row.rank)}, ${integers((row) => row.index)},
      ${floats((row) => row.scores.format)}, ${floats((row) => row.scores.name)},
      ${floats((row) => row.scores.key)}, ${floats((row) => row.scores.value)},
      ${floats((row) => row.reward)}, ${floats((row) => row.weightedReward)},
      ${sql.param(rows.map((row) => row.exactMatch))}::boolean[],
      ${sql.param(rows.map((row) => row.parseable))}::boolean[],
      ${tally('format')}, ${tally('name')}, ${tally('key')}, ${tally('value')}
    ) t (
      rank, index, score_format, score_name, score_key, score_value, reward, weighted_reward,
      exact_match, parseable, format_successes, format_trials, name_successes, name_trials,
      key_successes, key_trials, value_successes, value_trials
    )
    where rollouts.run = ${key.run} and rollouts.step = ${key.step}
      and rollouts.rank = t.rank and rollouts.index = t.index`);
}

async function writeGroups(
  tx: Database,
  key: RoundKey,
  rows: readonly ScoredGroup[],
): Promise<void> {
  const floats = (value: (row: ScoredGroup) => number) =>
    sql`${sql.param(rows.map(value))}::float8[]`;
  await tx.execute(sql`
    update groups set
      reward = t.reward, reward_std = t.reward_std, weighted_reward = t.weighted_reward,
      weighted_reward_std = t.weighted_reward_std, exact_match = t.exact_match
    from unnest(
      ${sql.param(rows.map((row) => row.rank))}::integer[],
      ${floats((row) => row.reward)}, ${floats((row) => row.rewardStd)},
      ${floats((row) => row.weightedReward)}, ${floats((row) => row.weightedRewardStd)},
      ${floats((row) => row.exactMatch)}
    ) t (rank, reward, reward_std, weighted_reward, weighted_reward_std, exact_match)
    where groups.run = ${key.run} and groups.step = ${key.step} and groups.rank = t.rank`);
}
