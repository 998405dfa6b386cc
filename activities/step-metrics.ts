import type { GroupRow } from '../db/groups.ts';
import type { RolloutScores } from '../db/reward-scores.ts';
import type { RolloutShard } from '../db/rollouts.ts';
import type { StepMetrics } from '../db/steps.ts';
import { mean } from '../dscl/moments.ts';
import type { RewardRange } from '../dscl/signals.ts';
import { busySeconds } from './busy-seconds.ts';

/** A rollout that is scored, as its row says that it may not be. */
export type ScoredRow = RolloutScores & {
  readonly reward: number;
  readonly weightedReward: number;
};

/** The rows with their rewards. @throws Error when one was not scored: the workflow's order was broken. */
export function requireScored(rows: readonly RolloutScores[]): ScoredRow[] {
  return rows.map((row) => {
    const { reward, weightedReward } = row;
    if (reward === null || weightedReward === null) {
      throw new Error(`a rollout of group ${row.rank} was not scored`);
    }
    return { ...row, reward, weightedReward };
  });
}

/**
 * A step in numbers, over all its rollouts, those of dropped groups too. Names follow the field (spec §5); sub-scores of
 * name, key and value count only where a call is wanted.
 */
export function stepMetrics(step: {
  readonly rollouts: readonly ScoredRow[];
  /** Those that were rolled out. */
  readonly groups: readonly GroupRow[];
  readonly shards: readonly RolloutShard[];
  readonly ranges: ReadonlyMap<string, RewardRange>;
}): StepMetrics {
  const { rollouts, groups, shards, ranges } = step;
  const over = (value: (row: ScoredRow) => number | null): number =>
    mean(rollouts.map((row) => value(row) ?? 0));
  const withCall = rollouts.filter(({ sampleId }) => (ranges.get(sampleId)?.min ?? 0) < 0);
  const overCalls = (value: (row: ScoredRow) => number | null): number | null =>
    withCall.length === 0 ? null : mean(withCall.map((row) => value(row) ?? 0));
  return {
    groups: groups.length,
    keptGroups: groups.filter(({ state }) => state === 'kept').length,
    rounds: 1 + Math.max(0, ...groups.map(({ round }) => round ?? 0)),
    completions: rollouts.length,
    reward: over((row) => row.reward),
    rewardStd: mean(groups.map(({ rewardStd }) => rewardStd ?? 0)),
    fracRewardZeroStd: mean(groups.map(({ weightedRewardStd }) => Number(weightedRewardStd === 0))),
    rewardsFormatMean: over((row) => row.scoreFormat),
    rewardsNameMean: overCalls((row) => row.scoreName),
    rewardsKeyMean: overCalls((row) => row.scoreKey),
    rewardsValueMean: overCalls((row) => row.scoreValue),
    weightedReward: over((row) => row.weightedReward),
    exactMatch: over((row) => Number(row.exactMatch)),
    completionsMeanLength: over((row) => row.completionTokens),
    completionsClippedRatio: over((row) => Number(row.finishReason === 'length')),
    generatedTokens: rollouts.reduce((sum, row) => sum + row.completionTokens, 0),
    rolloutSeconds: busySeconds(shards),
  };
}
