import type { StepPoint } from '../../contracts/dashboard.ts';
import { CATEGORIES, type Category } from '../../contracts/sampling.ts';

export type CategoryCounts = { readonly [category in Category]: number };

/** Samples that can still teach something: those whose completions differ, or may. */
export const STILL_TEACHING = ['new', 'active', 'hard-live'] as const satisfies readonly Category[];

/** How many samples of the corpus were in each category after each step, the start first. */
export function categoryCounts(
  steps: readonly Pick<StepPoint, 'step' | 'moves'>[],
  corpusSamples: number,
): readonly (CategoryCounts & { readonly step: number })[] {
  let counts = Object.fromEntries(
    CATEGORIES.map((category) => [category, category === 'new' ? corpusSamples : 0]),
  ) as CategoryCounts;
  const history = [{ step: 0, ...counts }];
  for (const { step, moves } of steps) {
    counts = Object.fromEntries(
      CATEGORIES.map((category) => [category, counts[category] + moves[category]]),
    ) as CategoryCounts;
    history.push({ step, ...counts });
  }
  return history;
}
