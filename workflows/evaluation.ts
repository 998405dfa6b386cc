import type { RunPlan } from '../contracts/activities.ts';
import { acceleratorActivities } from './activity-options.ts';
import type { EvaluationRow } from './step-table.ts';

/** Evaluates the policy of one step on each of the splits; step 0 is the policy before any reinforcement. */
export async function evaluate(
  key: { readonly run: string; readonly epoch: number; readonly step: number },
  splits: readonly string[],
  plan: Pick<RunPlan, 'evaluationShards'>,
): Promise<EvaluationRow[]> {
  const { evaluateShard, evaluatePolicy } = acceleratorActivities();
  // All at once: workers that are done with one split begin with the next.
  const shardSeconds = await Promise.all(
    splits.map(async (split) => {
      const shards = plan.evaluationShards?.[split] ?? 0;
      const each = await Promise.all(
        Array.from({ length: shards }, async (_, shard) => {
          const summary = `step ${key.step}: evaluate on ${split}, shard ${shard + 1} of ${shards}`;
          return evaluateShard.executeWithOptions({ summary }, [{ ...key, split, shard, shards }]);
        }),
      );
      return each.reduce((sum, { seconds }) => sum + seconds, 0);
    }),
  );
  const rows: EvaluationRow[] = [];
  for (const [i, split] of splits.entries()) {
    const summary = `step ${key.step}: evaluate on ${split}`;
    const seconds = shardSeconds[i] ?? 0;
    const whole = { ...key, split, ...(seconds === 0 ? {} : { shardSeconds: seconds }) };
    const result = await evaluatePolicy.executeWithOptions({ summary }, [whole]);
    rows.push({ ...result, step: key.step, split });
  }
  return rows;
}
