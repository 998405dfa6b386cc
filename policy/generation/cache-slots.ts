import type { ModelTraits } from '../models/model-traits.ts';
import type { PromptBlocks } from './cache-layout.ts';
import { refreshFeeds, type KeyValueCache } from './key-value-cache.ts';

/** A row that begins, and the number of its prompt's group. */
export interface NewRow {
  readonly row: number;
  readonly group: number;
}

/** The same past without these rows: their slots are free. */
export function vacateSlots(cache: KeyValueCache, rows: ReadonlySet<number>): KeyValueCache {
  const slots = cache.grid.slots.map((row) => (rows.has(row) ? -1 : row));
  return { ...cache, grid: { ...cache.grid, slots } };
}

/**
 * Puts rows that begin into free slots, so that nothing else has to be copied; null where they do not fit: there are too few,
 * slots share prompts, or a prompt is longer than those that are there.
 * @param before not to be used any more unless the result is null. @param lengthOf tokens of a group's prompt.
 */
export function fillSlots(
  before: KeyValueCache,
  arrived: PromptBlocks,
  begun: readonly NewRow[],
  lengthOf: (group: number) => number,
): KeyValueCache | null {
  const { grid, promptLength, traits } = before;
  const free = [...grid.slots.keys()].filter((slot) => grid.slots[slot]! < 0);
  if (grid.width !== 1 || arrived.length > promptLength || free.length < begun.length) return null;
  const slots = [...grid.slots];
  const prompts = [...grid.prompts];
  const lengths = [...before.lengths];
  const stored = [...before.stored];
  for (const [i, { row, group }] of begun.entries()) {
    const slot = free[i]!;
    slots[slot] = row;
    prompts[slot] = group;
    lengths[slot] = lengthOf(group);
    stored[slot] = 0;
    copyPrompt(traits, arrived, arrived.groups.indexOf(group), before, slot);
  }
  const cache = { ...before, grid: { ...grid, slots, prompts }, lengths, stored };
  refreshFeeds(cache);
  return cache;
}

/** What the slot's former prompt had beyond the new one's end stays, and is masked. */
function copyPrompt(
  { kvHeads, headDim }: ModelTraits,
  { blocks, length }: PromptBlocks,
  index: number,
  { prompt, promptLength }: KeyValueCache,
  slot: number,
): void {
  for (const [name, target] of prompt) {
    const source = blocks.get(name)!;
    for (let head = 0; head < kvHeads; head++) {
      const from = (index * kvHeads + head) * length * headDim;
      const to = (slot * kvHeads + head) * promptLength * headDim;
      target.set(source.subarray(from, from + length * headDim), to);
    }
  }
}
