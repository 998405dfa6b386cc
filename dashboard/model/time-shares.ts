import type { RunDetail, StepPoint } from '../../contracts/dashboard.ts';

/** Where the time of a run went. */
export interface TimeShare {
  readonly part: 'cold start' | 'rollouts' | 'gradient steps' | 'evaluation' | 'rest of steps';
  readonly seconds: number;
  /** Of all that is counted. */
  readonly share: number;
}

/** Where the time of a run went so far; what lay between its steps besides evaluations is not counted. */
export function timeShares(
  { coldStart, evaluations }: Pick<RunDetail, 'coldStart' | 'evaluations'>,
  steps: readonly StepPoint[],
): readonly TimeShare[] {
  const parts = [
    { part: 'cold start' as const, seconds: sum(coldStart, ({ seconds }) => seconds) },
    { part: 'rollouts' as const, seconds: sum(steps, ({ rolloutSeconds }) => rolloutSeconds) },
    {
      part: 'gradient steps' as const,
      seconds: sum(steps, ({ gradientSeconds }) => gradientSeconds),
    },
    { part: 'evaluation' as const, seconds: sum(evaluations, ({ seconds }) => seconds) },
    { part: 'rest of steps' as const, seconds: sum(steps, restSeconds) },
  ];
  const all = sum(parts, ({ seconds }) => seconds);
  return parts.map((each) => ({ ...each, share: all === 0 ? 0 : each.seconds / all }));
}

/** Seconds of a step in which neither completions nor gradients were computed: scoring, statistics, storing, waiting. */
export function restSeconds({ wallSeconds, rolloutSeconds, gradientSeconds }: StepPoint): number {
  return Math.max(0, wallSeconds - rolloutSeconds - gradientSeconds);
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
