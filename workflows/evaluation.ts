import { acceleratorActivities } from './activity-options.ts';
import type { EvaluationRow } from './step-table.ts';

/** Evaluates the policy of one step on each of the splits; step 0 is the policy before any reinforcement. */
export async function evaluate(
  key: { readonly run: string; readonly epoch: number; readonly step: number },
  splits: readonly string[],
): Promise<EvaluationRow[]> {
  const { evaluatePolicy } = acceleratorActivities();
  const rows: EvaluationRow[] = [];
  for (const split of splits) {
    const summary = `step ${key.step}: evaluate on ${split}`;
    const result = await evaluatePolicy.executeWithOptions({ summary }, [{ ...key, split }]);
    rows.push({ ...result, step: key.step, split });
  }
  return rows;
}
