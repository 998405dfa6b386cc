import type { RunConfig } from '../../contracts/config.ts';

/** A run's plan names them all, and goes from activities to workflows: it must stay below what Temporal carries (2 MB). */
const MOST_EVALUATIONS = 100_000;

/** Why a run cannot plan so many evaluations, and what to do; null where it can. */
export function tooManyEvaluations(
  evaluations: number,
): { readonly problem: string; readonly hint: string } | null {
  if (evaluations <= MOST_EVALUATIONS) return null;
  return {
    problem: `${evaluations} evaluations are too many, ${MOST_EVALUATIONS} can be planned`,
    hint: 'evaluate after more steps each, at each "halving", or by eval_tokens',
  };
}

/** How many evaluations a run will have, as far as that is known before its data is; else 0. */
export function knownEvaluations({ evalSchedule, maxSteps, numTrainEpochs }: RunConfig): number {
  if (evalSchedule === 'epoch') return maxSteps < 0 ? numTrainEpochs : 0;
  return typeof evalSchedule === 'number' && maxSteps >= 0
    ? Math.floor(maxSteps / evalSchedule)
    : 0;
}
