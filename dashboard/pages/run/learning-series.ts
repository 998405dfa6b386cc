import type { RunDetail, StepPoint } from '../../../contracts/dashboard.ts';
import type { EvaluationStatus } from '../../../contracts/run-status.ts';
import { LINE_COLOURS } from '../charts/palette.ts';
import type { LinePoint, LineSeries } from '../charts/line-chart.tsx';

/** Reward and exact match: of the held-out splits, and of what was trained on. */
export function learningSeries(
  { evaluations }: Pick<RunDetail, 'evaluations'>,
  steps: readonly StepPoint[],
): { readonly reward: readonly LineSeries[]; readonly exactMatch: readonly LineSeries[] } {
  const splits = [...new Set(evaluations.map(({ split }) => split))];
  const heldOut = (point: (evaluation: EvaluationStatus) => Omit<LinePoint, 'x'>): LineSeries[] =>
    splits.map((split, index) => ({
      label: split,
      colour: LINE_COLOURS[index] ?? LINE_COLOURS[0],
      dash: index === 0 ? '' : '7 3',
      style: 'points',
      points: evaluations
        .filter((evaluation) => evaluation.split === split)
        .map((evaluation) => ({ x: evaluation.step, ...point(evaluation) })),
    }));
  const training = (point: (step: StepPoint) => Omit<LinePoint, 'x'>): LineSeries => ({
    label: 'training batch',
    colour: 'var(--muted)',
    style: 'quiet',
    points: steps.map((step) => ({ x: step.step, ...point(step) })),
  });
  return {
    reward: [
      ...heldOut(({ reward, rewardLow, rewardHigh }) => ({
        y: reward,
        low: rewardLow,
        high: rewardHigh,
      })),
      training(({ reward, rewardLow, rewardHigh }) => ({
        y: reward,
        low: rewardLow,
        high: rewardHigh,
      })),
    ],
    exactMatch: [
      ...heldOut(({ exactMatch, exactMatchLow, exactMatchHigh }) => ({
        y: exactMatch,
        low: exactMatchLow,
        high: exactMatchHigh,
      })),
      training(({ exactMatch, exactMatchLow, exactMatchHigh }) => ({
        y: exactMatch,
        low: exactMatchLow,
        high: exactMatchHigh,
      })),
    ],
  };
}
