import type { EvaluationShardKey, EvaluationShardSummary } from '../contracts/activities.ts';
import { findEvaluation } from '../db/evaluations.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { evaluateChunks } from './evaluation-chunks.ts';

/** Completes and scores a share of a held-out split, beside other workers that do theirs. */
export async function evaluateShard(
  deps: ActivityDependencies,
  { shard, shards, ...key }: EvaluationShardKey,
): Promise<EvaluationShardSummary> {
  if ((await findEvaluation(deps.db, key)) !== null) return { seconds: 0 };
  return { seconds: await evaluateChunks(deps, key, { shard, shards }) };
}
