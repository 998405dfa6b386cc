import type { RoundKey, StepKey } from '../../../contracts/activities.ts';
import type { PolicyRef } from '../../../contracts/policy.ts';
import { filterGroups } from '../../../activities/filter-groups.ts';
import { scoreRewards } from '../../../activities/score-rewards.ts';
import { selectBatch } from '../../../activities/select-batch.ts';
import { updateCurriculum } from '../../../activities/update-curriculum.ts';
import { policyAfter } from '../../../db/checkpoints.ts';
import type { Connection } from '../../../db/connection.ts';
import { commitGradientStep, type GradientCommit } from '../../../db/gradient-commit.ts';
import { keptRollouts } from '../../../db/rollouts.ts';
import { scratchRollouts } from './scratch-run.ts';

/** How often and in what company each activity is called. */
export type Caller = <T>(activity: () => Promise<T>) => Promise<T>;

export const once: Caller = (activity) => activity();

/**
 * A step of a scratch run: all of its activities but for what a policy computes.
 * @param after - The policy after the step; default: that before it.
 */
export async function takeStep(
  deps: Pick<Connection, 'db'>,
  key: StepKey,
  generations: number,
  call: Caller = once,
  after?: PolicyRef,
): Promise<void> {
  const batch = await call(() => selectBatch(deps, key));
  let shards = batch.shards;
  for (let round = 0; shards > 0; round++) {
    const roundKey: RoundKey = { ...key, round };
    for (let shard = 0; shard < shards; shard++) {
      await call(() => scratchRollouts(deps.db, { ...roundKey, shard }, generations));
    }
    await call(() => scoreRewards(deps, roundKey));
    shards = (await call(() => filterGroups(deps, roundKey))).backfillShards;
  }
  await call(() => updateCurriculum(deps, key));
  const policy = after ?? (await policyAfter(deps.db, key.run, key.step - 1));
  const kept = await keptRollouts(deps.db, key);
  const update: GradientCommit['update'] = {
    loss: 0.5,
    gradNorm: Number.NaN,
    learningRate: 1e-3,
    entropy: 1,
    kl: null,
    clipRatioLow: 0,
    clipRatioHigh: 0,
    samplingLogpDifference: 0.02,
    trainedTokens: 100,
    optimizerSteps: 1,
    seconds: 0.1,
    advantages: kept.map(({ rank, index }) => ({ rank, index, advantage: rank - index / 10 })),
  };
  await call(() =>
    commitGradientStep(deps.db, key, { policy, update: kept.length > 0 ? update : null }, null),
  );
}
