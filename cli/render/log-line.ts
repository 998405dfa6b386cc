import { timeLeft, tokenRate } from '../../contracts/pace.ts';
import type { EvaluationStatus, StepStatus } from '../../contracts/run-status.ts';
import { masteryText } from './panel.ts';
import { count, duration, percent } from './text.ts';

/** One step as a line of a log; the last of `steps` is the one that is told. Empty without steps. */
export function stepLine(steps: readonly StepStatus[], totalSteps: number): string {
  const step = steps.at(-1);
  if (step === undefined) return '';
  const rate = tokenRate(steps);
  const left = timeLeft(steps, totalSteps);
  return [
    `step ${String(step.step).padStart(String(totalSteps).length)}/${totalSteps}`,
    `reward ${step.reward.toFixed(2)} ± ${step.rewardStd.toFixed(2)}`,
    `groups ${step.groups}, dropped ${step.groups - step.keptGroups}`,
    ...(rate === null ? [] : [`${count(rate)} tokens/s`]),
    `mastery ${masteryText(step.mastery)}`,
    ...(left === null ? [] : [`${duration(left)} left`]),
  ].join('  ');
}

/** One evaluation as a line of a log. */
export function evaluationLine(evaluation: EvaluationStatus): string {
  const { exactMatchLow: low, exactMatchHigh: high, rewardLow, rewardHigh } = evaluation;
  return [
    `evaluation after step ${evaluation.step}, ${evaluation.split} (n = ${evaluation.n}):`,
    `exact match ${percent(evaluation.exactMatch)} [${percent(low)}, ${percent(high)}],`,
    `reward ${evaluation.reward.toFixed(2)} [${rewardLow.toFixed(2)}, ${rewardHigh.toFixed(2)}]`,
  ].join(' ');
}
