import { MOST_SAMPLES, type SampleHistory, type SampleOrder } from '../../contracts/dashboard.ts';
import type { CsvRow } from './csv.ts';

const VALUES: {
  readonly [order in Exclude<SampleOrder, 'id'>]: (sample: SampleHistory) => number;
} = {
  importance: ({ importance }) => -importance,
  reward: ({ rewards, rewardMin, rewardMax }) =>
    ((rewards.at(-1) ?? rewardMax) - rewardMin) / (rewardMax - rewardMin),
  visits: ({ visits }) => -visits,
  recent: ({ steps }) => -(steps.at(-1) ?? 0),
};

/** Samples in an order, as the database would give them. */
export function sorted(samples: readonly SampleHistory[], order: SampleOrder): SampleHistory[] {
  const byId = samples.toSorted((a, b) => (a.sampleId < b.sampleId ? -1 : 1));
  if (order === 'id') return byId;
  const value = VALUES[order];
  return byId.sort((a, b) => value(a) - value(b));
}

/** Whether more samples than so many can be shown, of as many as there are. */
export function canShowMore(shown: number, known: number): boolean {
  return shown < Math.min(known, MOST_SAMPLES);
}

/** The visits of a sample, a row each. */
export function visitRows(sample: SampleHistory): CsvRow[] {
  return sample.steps.map((step, index) => ({
    sample: sample.sampleId,
    level: sample.level,
    visit: firstVisit(sample) + index,
    step,
    category: sample.categories[index],
    importance: sample.importances[index],
    reward: sample.rewards[index],
    reward_std: sample.rewardStds[index],
    exact_match: sample.exactMatches[index],
    kept: sample.kept[index],
  }));
}

/** The number of the first visit that is listed. */
export function firstVisit({ visits, steps }: SampleHistory): number {
  return visits - steps.length + 1;
}
