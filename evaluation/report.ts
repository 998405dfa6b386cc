import { Z_95 } from '../contracts/confidence.ts';
import type { AggregateScore, PartResult } from '../contracts/suite-evaluation.ts';
import { wilsonInterval } from '../dscl/wilson-interval.ts';
import { aggregateScores } from './bfcl/aggregate.ts';
import { BFCL_CATEGORIES } from './bfcl/categories.ts';

/** What is counted of a part's answers. */
export interface PartCounts {
  readonly part: string;
  readonly questions: number;
  readonly answered: number;
  readonly correct: number;
  readonly tooLong: number;
  readonly completionTokens: number;
  readonly seconds: number;
  readonly reward: number | null;
  /** Standard error of the mean reward. */
  readonly rewardError: number | null;
  /** Means by sub-task: format, name, key, value. */
  readonly scores: readonly (number | null)[];
}

/** A part's counts with the intervals that belong to them. */
export function partResult({ rewardError, scores, ...counts }: PartCounts): PartResult {
  const { answered, correct, reward } = counts;
  const { low, high } = wilsonInterval(correct, answered);
  // Of a single answer there is no interval.
  const half = rewardError === null ? null : Z_95 * rewardError;
  const [format, name, key, value] = scores.map((score) => score ?? 0);
  return {
    ...counts,
    accuracy: answered === 0 ? 0 : correct / answered,
    accuracyLow: low,
    accuracyHigh: high,
    rewardLow: reward === null || half === null ? null : reward - half,
    rewardHigh: reward === null || half === null ? null : reward + half,
    scores:
      reward === null
        ? null
        : { format: format ?? 0, name: name ?? 0, key: key ?? 0, value: value ?? 0 },
  };
}

/**
 * BFCL's means over the parts; none unless all of them are answered.
 * @param limit questions of each part at most; null: all that it has
 */
export function aggregates(
  parts: readonly PartResult[],
  limit: number | null,
): readonly AggregateScore[] {
  if (parts.some(({ questions, answered }) => answered < questions)) return [];
  return aggregateScores(
    BFCL_CATEGORIES.flatMap((category) =>
      parts
        .filter(({ part }) => part === category)
        .map(({ correct, answered: total }) => ({ category, correct, total })),
    ),
    limit,
  );
}
