import type { RolloutSummary, ShardKey } from '../contracts/activities.ts';
import { commitShard, findShard, type RolloutShard } from '../db/rollouts.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { sampleShard } from './sample-shard.ts';

/**
 * Samples the completions of one shard. Token ids and log-probabilities become one artifact, texts and counts rows; both are
 * committed together.
 */
export async function rollout(deps: ActivityDependencies, key: ShardKey): Promise<RolloutSummary> {
  const { db, artifacts } = deps;
  const committed = await findShard(db, key);
  if (committed !== null) return summary(committed);

  const { tokens, rollouts, seconds } = await sampleShard(deps, key);
  const artifact = await artifacts.put(tokens);
  return summary(await commitShard(db, key, { artifact, rollouts, seconds }));
}

function summary({ completions, generatedTokens, seconds }: RolloutShard): RolloutSummary {
  return { completions, generatedTokens, seconds };
}
