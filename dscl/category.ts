import type { Category, SampleStatistics, SamplingOptions } from '../contracts/sampling.ts';
import { signals } from './signals.ts';
import type { RewardRange } from './signals.ts';

/** u from which a sample counts as solved; below 1 only for rounding. */
const SOLVED = 1 - 1e-6;
/** The scale on which `hardThreshold` is given. */
const SCALE_MIN = -3;
const SCALE_RANGE = 7;

/** κ: what a category leaves of a sample's importance. [ours] */
export const CATEGORY_FACTORS: { readonly [category in Category]: number } = {
  new: 1,
  easy: 0,
  'hard-live': 1,
  'hard-dead': 0.25,
  plateau: 0.5,
  active: 1,
};

/**
 * The one category that a sample is in. [paper: four, easy and hard as here; ours: live and dead, plateau's thresholds]
 *
 * @param statistics null before the first visit.
 */
export function categorize(
  statistics: SampleStatistics | null,
  range: RewardRange,
  options: Pick<SamplingOptions, 'hardThreshold' | 'varianceThreshold'>,
): Category {
  if (statistics === null) return 'new';
  const { solved, within, across } = signals(statistics, range);
  if (solved >= SOLVED) return 'easy';
  const moves = within >= options.varianceThreshold;
  if (solved < (options.hardThreshold - SCALE_MIN) / SCALE_RANGE) {
    return !moves && statistics.visits >= 2 ? 'hard-dead' : 'hard-live';
  }
  return !moves && across < options.varianceThreshold ? 'plateau' : 'active';
}
