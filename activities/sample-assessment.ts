import type { RunConfig } from '../contracts/config.ts';
import type { SampleStatistics } from '../contracts/sampling.ts';
import type { AssessedStatistics } from '../db/sample-statistics.ts';
import { categorize } from '../dscl/category.ts';
import { fading } from '../dscl/importance.ts';
import type { RewardRange } from '../dscl/signals.ts';

/** What is known of a sample, with the category and the importance, now and with time, that follow under a configuration. */
export function assessed(
  statistics: SampleStatistics,
  range: RewardRange,
  { sampling, sampler }: Pick<RunConfig, 'sampling' | 'sampler'>,
): AssessedStatistics {
  const options = { ...sampling, sampler };
  return {
    ...statistics,
    category: categorize(statistics, range, options),
    ...fading(statistics, range, options),
  };
}
