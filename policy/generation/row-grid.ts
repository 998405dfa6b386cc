import type { ModelTraits } from '../models/model-traits.ts';
import { cacheSeconds, slotSeconds } from './generation-costs.ts';

/**
 * How rows are laid out for the decode graph: `groups` × `width` slots, every group shares one prompt's keys and values.
 * A prompt with more rows than `width` has several groups.
 */
export interface RowGrid {
  readonly width: number;
  /** The prompt of each group. */
  readonly prompts: readonly number[];
  /** Row in each slot (g·width + i); −1: empty. */
  readonly slots: readonly number[];
  /** Seconds that one token for all slots is thought to take; only compared. */
  readonly cost: number;
}

/** A grid is given up for a smaller one when this share of its cost is enough. */
export const COMPACTION_SHARE = 0.8;

/**
 * The cheapest grid for rows that belong to prompts: narrow grids waste no slots, wide ones read each prompt once.
 * Deterministic: a function of its arguments.
 * @param rows row numbers. @param promptOf prompt of a row. @param promptLength tokens of the longest prompt.
 */
export function planGrid(
  traits: ModelTraits,
  rows: readonly number[],
  promptOf: (row: number) => number,
  promptLength: number,
): RowGrid {
  const byPrompt = new Map<number, number[]>();
  for (const row of rows) {
    const list = byPrompt.get(promptOf(row));
    if (list === undefined) byPrompt.set(promptOf(row), [row]);
    else list.push(row);
  }
  const widest = Math.max(1, ...[...byPrompt.values()].map((list) => list.length));
  let best: RowGrid | undefined;
  for (let width = 1; width <= widest; width++) {
    const grid = layOut(traits, byPrompt, width, promptLength);
    if (best === undefined || grid.cost <= best.cost) best = grid;
  }
  return best!;
}

function layOut(
  traits: ModelTraits,
  byPrompt: ReadonlyMap<number, readonly number[]>,
  width: number,
  promptLength: number,
): RowGrid {
  const prompts: number[] = [];
  const slots: number[] = [];
  for (const [prompt, rows] of byPrompt) {
    for (let from = 0; from < rows.length; from += width) {
      prompts.push(prompt);
      for (let i = 0; i < width; i++) slots.push(rows[from + i] ?? -1);
    }
  }
  return {
    width,
    prompts,
    slots,
    cost: slots.length * slotSeconds(traits) + prompts.length * cacheSeconds(traits, promptLength),
  };
}
