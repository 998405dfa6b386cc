import type { RunPlan } from './activities.ts';

/** The split of the setting `evalSuite`. */
export const SUITE_SPLIT = 'suite';

/**
 * Whether an evaluation by tokens is due after a step. It is decided when the step's prompts are selected, so that the plan is known
 * before anything of the step is spent: after the step that follows the one which went past a multiple of `every`.
 *
 * @param generated tokens up to the step before
 * @param evaluated tokens up to the latest step before it that was evaluated
 * @param every the setting `evalTokens`
 */
export function evaluationByTokens(generated: number, evaluated: number, every: number): boolean {
  return every > 0 && Math.floor(generated / every) > Math.floor(evaluated / every);
}

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
