import type { ModelTraits } from '../models/model-traits.ts';
import { createBlockPool, giveBlock, takeBlock, type Block, type BlockPool } from './block-pool.ts';
import { ownKeys, ownValues } from './graph-interface.ts';
import {
  blockIndex,
  FIRST_CAPACITY,
  ownSize,
  refreshFeeds,
  type KeyValueCache,
} from './key-value-cache.ts';
import type { RowGrid } from './row-grid.ts';

/** Keys and values of prompts, [prompts, kvHeads, length, headDim] by feed name. */
export interface PromptBlocks {
  /** Number of each prompt's group. */
  readonly groups: readonly number[];
  /** Padded length. */
  readonly length: number;
  readonly blocks: ReadonlyMap<string, Block>;
}

/** Where the past of a new layout comes from: what was laid out before, and prompts that were prefilled since. */
export interface CacheSources {
  readonly before: KeyValueCache | null;
  readonly arrived: PromptBlocks | null;
  /** Room for own tokens is measured anew; else it is kept where no prompt arrives. */
  readonly tight?: boolean;
}

/** Padded length of the prompts of these groups: it changes only when prompts arrive. */
export function paddedLength(
  { before, arrived }: CacheSources,
  groups: ReadonlySet<number>,
  lengthOf: (group: number) => number,
): number {
  if (arrived === null) return before?.promptLength ?? 0;
  const staying = before?.grid.prompts.filter((group) => groups.has(group)) ?? [];
  return Math.max(arrived.length, ...staying.map(lengthOf));
}

/**
 * The past of the rows of a grid, copied from where it is, which must not be read any more. Rows that are new start without own
 * tokens.
 * @param promptLength see {@link paddedLength}. @param lengthOf tokens of a group's prompt.
 */
export function layOutCache(
  traits: ModelTraits,
  grid: RowGrid,
  promptLength: number,
  lengthOf: (group: number) => number,
  sources: CacheSources,
): KeyValueCache {
  const { before, arrived, tight = false } = sources;
  const oldSlot = new Map(before?.grid.slots.map((row, slot) => [row, slot]));
  const slots = grid.slots.map((row) => (row < 0 ? undefined : oldSlot.get(row)));
  const stored = slots.map((slot) => (slot === undefined ? 0 : before!.stored[slot]!));
  const capacity =
    before !== null && arrived === null && !tight ? before.capacity : capacityFor(stored);
  const pool = before?.pool ?? createBlockPool();
  const cache: KeyValueCache = {
    traits,
    pool,
    grid,
    promptLength,
    lengths: grid.prompts.map(lengthOf),
    own: gatherOwn(traits, pool, grid, capacity, slots, before),
    prompt: gatherPrompts(traits, pool, grid.prompts, promptLength, sources),
    capacity,
    stored,
    mask: new Float32Array(0),
    feeds: {},
  };
  refreshFeeds(cache);
  return cache;
}

/** Room for the longest row and its next token. @param stored own tokens of each row. */
export function capacityFor(stored: readonly number[]): number {
  return (Math.floor(Math.max(0, ...stored) / FIRST_CAPACITY) + 1) * FIRST_CAPACITY;
}

/** Own blocks by feed name, each slot's tokens copied from the slot they were in (undefined: none). */
function gatherOwn(
  traits: ModelTraits,
  pool: BlockPool,
  grid: RowGrid,
  capacity: number,
  slots: readonly (number | undefined)[],
  before: KeyValueCache | null,
): ReadonlyMap<string, Block> {
  const { kvHeads, headDim } = traits;
  const names = Array.from({ length: traits.layers }, (_, i) => [ownKeys(i), ownValues(i)]).flat();
  return new Map(
    names.map((name) => {
      const block = takeBlock(pool, ownSize(grid, traits, capacity));
      const old = before?.own.get(name);
      for (const [slot, from] of slots.entries()) {
        if (before === null || old === undefined || from === undefined) continue;
        const length = before.stored[from]! * headDim;
        for (let head = 0; head < kvHeads; head++) {
          const start = blockIndex(before.grid, kvHeads, from, head) * before.capacity * headDim;
          const to = blockIndex(grid, kvHeads, slot, head) * capacity * headDim;
          block.set(old.subarray(start, start + length), to);
        }
      }
      if (old !== undefined) giveBlock(pool, old);
      return [name, block];
    }),
  );
}

/** Prompt blocks for the groups of a grid; the very same arrays when nothing changes. */
function gatherPrompts(
  { kvHeads, headDim }: ModelTraits,
  pool: BlockPool,
  wanted: readonly number[],
  length: number,
  { before, arrived }: CacheSources,
): ReadonlyMap<string, Block> {
  const sources: PromptBlocks[] = arrived === null ? [] : [arrived];
  if (before !== null) {
    const { grid, promptLength, prompt } = before;
    sources.push({ groups: grid.prompts, length: promptLength, blocks: prompt });
  }
  const same = sources.find(
    ({ groups, length: padded }) => padded === length && groups.join() === wanted.join(),
  );
  if (same !== undefined) return same.blocks;
  const places = wanted.map((group) => {
    const source = sources.find(({ groups }) => groups.includes(group))!;
    return { source, index: source.groups.indexOf(group) };
  });
  return new Map(
    [...sources[0]!.blocks.keys()].map((name) => {
      const block = takeBlock(pool, wanted.length * kvHeads * length * headDim);
      for (const [group, { source, index }] of places.entries()) {
        const old = source.blocks.get(name)!;
        const common = Math.min(length, source.length) * headDim;
        for (let head = 0; head < kvHeads; head++) {
          const from = (index * kvHeads + head) * source.length * headDim;
          block.set(old.subarray(from, from + common), (group * kvHeads + head) * length * headDim);
        }
      }
      for (const { blocks } of sources) giveBlock(pool, blocks.get(name)!);
      return [name, block];
    }),
  );
}
