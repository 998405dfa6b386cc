import type { RunDetail, StepPoint } from '../../contracts/dashboard.ts';
import type { EvaluationStatus } from '../../contracts/run-status.ts';
import type { Curve } from './seed-bands.ts';

/** A run as far as it is compared. */
export interface ComparedRun {
  readonly detail: RunDetail;
  readonly steps: readonly StepPoint[];
}

/** What runs can be compared by, over generated tokens. */
export interface CompareMetric {
  readonly name: string;
  /** It is a share, from 0 to 1. */
  readonly share: boolean;
  /** Digits behind the point that tell its values apart; of a share, of its percentage. */
  readonly digits: number;
  readonly curve: (run: ComparedRun) => Curve;
}

export const COMPARE_METRICS = [
  {
    name: 'exact match, held out',
    share: true,
    digits: 0,
    curve: (run) => heldOut(run, ({ exactMatch }) => exactMatch),
  },
  {
    name: 'reward, held out',
    share: false,
    digits: 2,
    curve: (run) => heldOut(run, ({ reward }) => reward),
  },
  {
    name: 'reward of the batch',
    share: false,
    digits: 2,
    curve: (run) => batch(run, ({ reward }) => reward),
  },
  {
    name: 'groups without variance',
    share: true,
    digits: 0,
    curve: (run) => batch(run, ({ zeroVariance }) => zeroVariance),
  },
  {
    name: 'groups trained on',
    share: false,
    digits: 1,
    curve: (run) => batch(run, ({ keptGroups }) => keptGroups),
  },
] as const satisfies readonly CompareMetric[];

/** Generated tokens after each step; 0 before the first. */
export function tokensAfter(steps: readonly StepPoint[]): ReadonlyMap<number, number> {
  const after = new Map([[0, 0]]);
  let tokens = 0;
  for (const { step, generatedTokens } of steps) after.set(step, (tokens += generatedTokens));
  return after;
}

/** Evaluations on the first held-out split. */
export function firstSplit({ evaluations }: RunDetail): readonly EvaluationStatus[] {
  return evaluations.filter(({ split }) => split === evaluations[0]?.split);
}

function heldOut(run: ComparedRun, value: (evaluation: EvaluationStatus) => number): Curve {
  const tokens = tokensAfter(run.steps);
  return firstSplit(run.detail).flatMap((evaluation) => {
    const x = tokens.get(evaluation.step);
    // An evaluation may be known a moment before its step is.
    return x === undefined ? [] : [{ x, y: value(evaluation) }];
  });
}

function batch({ steps }: ComparedRun, value: (step: StepPoint) => number): Curve {
  const tokens = tokensAfter(steps);
  return steps.map((step) => ({ x: tokens.get(step.step) ?? 0, y: value(step) }));
}
