import type { RunPlan } from './activities.ts';

/** The splits on which the policy is evaluated after a step: all of them after the last one, the first one in between. */
export function splitsDue(
  step: number,
  { evaluateAt, totalSteps, splits }: Pick<RunPlan, 'evaluateAt' | 'totalSteps' | 'splits'>,
): readonly string[] {
  if (!evaluateAt.includes(step)) return [];
  return step === totalSteps ? splits : splits.slice(0, 1);
}
