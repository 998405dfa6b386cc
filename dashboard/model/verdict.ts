import type { RunDetail, StepPoint } from '../../contracts/dashboard.ts';
import { SUB_TASKS, type SubTask } from '../../contracts/reward.ts';
import type { EvaluationStatus } from '../../contracts/run-status.ts';
import { categoryCounts, STILL_TEACHING } from './category-counts.ts';

/** Steps over which "lately" is meant. */
export const RECENT_STEPS = 8;

/** What a reader wants to know of a run in ten seconds. */
export interface Verdict {
  /** First and last evaluation on the first held-out split; null before there are two. */
  readonly heldOut: { readonly first: EvaluationStatus; readonly last: EvaluationStatus } | null;
  /** Whether the held-out interval has left the first one's value behind; `unmeasured`: nothing is held out. */
  readonly learning: 'better' | 'worse' | 'unclear' | 'unmeasured' | null;
  /** Mean reward of the last steps, and of as many before them; null before the first step. */
  readonly reward: { readonly now: number; readonly before: number | null } | null;
  /** The sub-task with the lowest mastery, and how it moved lately; null before the first evidence. */
  readonly stuck: {
    readonly task: SubTask;
    readonly mastery: number;
    readonly weight: number;
    readonly change: number | null;
  } | null;
  /** Samples that still teach, of how many. */
  readonly teaching: { readonly samples: number; readonly of: number };
  /** Mean share of groups without variance over the last steps; null before the first. */
  readonly zeroVariance: number | null;
}

/** Sums a run up. */
export function verdict(detail: RunDetail, steps: readonly StepPoint[]): Verdict {
  const [firstSplit] = detail.evaluations;
  const evaluations = detail.evaluations.filter(({ split }) => split === firstSplit?.split);
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  const heldOut = first === undefined || last === undefined ? null : { first, last };
  const recent = steps.slice(-RECENT_STEPS);
  const before = steps.slice(-2 * RECENT_STEPS, -RECENT_STEPS);
  const counts = categoryCounts(steps, detail.corpusSamples).at(-1);
  return {
    heldOut,
    learning: detail.heldOut.length === 0 ? 'unmeasured' : compare(heldOut),
    reward:
      recent.length === 0
        ? null
        : {
            now: mean(recent.map(({ reward }) => reward)),
            before: before.length === 0 ? null : mean(before.map(({ reward }) => reward)),
          },
    stuck: lowestMastery(steps),
    teaching: {
      samples: STILL_TEACHING.reduce((sum, category) => sum + (counts?.[category] ?? 0), 0),
      of: detail.corpusSamples,
    },
    zeroVariance: recent.length === 0 ? null : mean(recent.map(({ zeroVariance }) => zeroVariance)),
  };
}

/** The intervals of both do not overlap, or nothing can be said yet. */
function compare(heldOut: Verdict['heldOut']): Verdict['learning'] {
  if (heldOut === null || heldOut.first === heldOut.last) return null;
  const { first, last } = heldOut;
  if (last.exactMatchLow > first.exactMatchHigh) return 'better';
  return last.exactMatchHigh < first.exactMatchLow ? 'worse' : 'unclear';
}

function lowestMastery(steps: readonly StepPoint[]): Verdict['stuck'] {
  const last = steps.at(-1);
  if (last === undefined) return null;
  const known = SUB_TASKS.flatMap((task) => {
    const mastery = last.mastery[task];
    return mastery === null ? [] : [{ task, mastery }];
  });
  const [lowest] = known.sort((a, b) => a.mastery - b.mastery);
  if (lowest === undefined) return null;
  const then = steps.at(-1 - RECENT_STEPS)?.mastery[lowest.task] ?? null;
  return {
    ...lowest,
    weight: last.weights[lowest.task],
    change: then === null ? null : lowest.mastery - then,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
