import { ToolsampleError } from '../contracts/errors.ts';
import { bestPolicy, committedStep, type PolicyPoint } from './checkpoints.ts';
import type { Database } from './connection.ts';
import { readRunAt } from './setting-changes.ts';

/**
 * The best policy of a run, by the metric that the run has now: a fork may have another one than the configuration that it took over.
 * @throws ToolsampleError `not-found` before the first evaluation after a step
 */
export async function bestPolicyOf(db: Database, run: string): Promise<PolicyPoint> {
  const { config } = await readRunAt(db, run, (await committedStep(db, run)) + 1);
  const best = await bestPolicy(db, run, config.bestMetric);
  if (best !== null) return best;
  throw new ToolsampleError('not-found', `run "${run}" has no evaluated policy after a step yet`, {
    hint: `write ${run} for the newest`,
  });
}
