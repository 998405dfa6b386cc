import type { RunPlan } from './activities.ts';

/** The split of the setting `evalSuite`. */
export const SUITE_SPLIT = 'suite';

/** The splits on which the policy is evaluated after a step: all of them after the last one, the first one and the suite in between. */
export function splitsDue(
  step: number,
  { evaluateAt, totalSteps, splits }: Pick<RunPlan, 'evaluateAt' | 'totalSteps' | 'splits'>,
): readonly string[] {
  if (!evaluateAt.includes(step)) return [];
  return step === totalSteps
    ? splits
    : splits.filter((split, index) => index === 0 || split === SUITE_SPLIT);
}
