import type { Tensor as Value } from 'onnxruntime-node';
import { floatData, floats, type Feeds } from '../graph/session.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { giveBlock, takeBlock, type Block, type BlockPool } from './block-pool.ts';
import { newKeys, newValues, ownKeys, ownValues } from './graph-interface.ts';
import type { RowGrid } from './row-grid.ts';

/** Added to a score that must not count. */
export const MASKED = -1e9;

/** Own positions are allocated in steps: small ones at first, then half of what is there. */
export const FIRST_CAPACITY = 16;

/**
 * What the decode graph reads of the past, for the rows of one grid.
 * Prompt part [P, kvHeads, promptLength, headDim], own part [P, kvHeads, G, capacity, headDim], by feed name.
 */
export interface KeyValueCache {
  readonly traits: ModelTraits;
  readonly pool: BlockPool;
  readonly grid: RowGrid;
  /** Padded length of the prompts. */
  readonly promptLength: number;
  /** Length of each grid group's prompt. */
  readonly lengths: readonly number[];
  readonly prompt: ReadonlyMap<string, Block>;
  own: ReadonlyMap<string, Block>;
  capacity: number;
  /** Own tokens of each slot that are stored. */
  readonly stored: number[];
  mask: Float32Array;
  /** All of the above as feeds; replaced when arrays are. */
  feeds: Feeds;
}

/** Index of a slot's block for one key head in [P, kvHeads, G]. */
export function blockIndex(
  { width }: RowGrid,
  kvHeads: number,
  slot: number,
  head: number,
): number {
  return (Math.floor(slot / width) * kvHeads + head) * width + (slot % width);
}

/** Elements of one layer's own keys. */
export function ownSize({ slots }: RowGrid, traits: ModelTraits, capacity: number): number {
  return slots.length * traits.kvHeads * capacity * traits.headDim;
}

/**
 * Appends the keys and values of the token just computed, in each slot behind its own.
 * @param open slots whose row goes on; the others are left as they are.
 */
export function appendToken(cache: KeyValueCache, results: Feeds, open: readonly number[]): void {
  const { traits, grid, capacity, stored } = cache;
  const { kvHeads, headDim: width } = traits;
  for (let layer = 0; layer < traits.layers; layer++) {
    for (const [own, made] of [
      [ownKeys(layer), newKeys(layer)],
      [ownValues(layer), newValues(layer)],
    ] as const) {
      const source = floatData(results, made);
      const target = cache.own.get(own)!;
      for (const slot of open) {
        for (let head = 0; head < kvHeads; head++) {
          const block = blockIndex(grid, kvHeads, slot, head);
          const from = block * width;
          const to = (block * capacity + stored[slot]!) * width;
          for (let i = 0; i < width; i++) target[to + i] = source[from + i]!;
        }
      }
    }
  }
  for (const slot of open) {
    cache.mask[slot * maskRow(cache) + cache.promptLength + stored[slot]!] = 0;
    stored[slot]!++;
  }
}

/** Makes room for one more token in each of these slots. */
export function reserveToken(cache: KeyValueCache, open: readonly number[]): void {
  const { traits, pool, grid, capacity, stored } = cache;
  if (open.every((slot) => stored[slot]! < capacity)) return;
  const width = traits.headDim;
  const grown = capacity + Math.max(FIRST_CAPACITY, Math.floor(capacity / 32) * 16);
  const blocks = grid.slots.length * traits.kvHeads;
  cache.own = new Map(
    [...cache.own].map(([name, old]) => {
      const block = takeBlock(pool, ownSize(grid, traits, grown));
      for (let slot = 0; slot < blocks; slot++) {
        const part = old.subarray(slot * capacity * width, (slot + 1) * capacity * width);
        block.set(part, slot * grown * width);
      }
      giveBlock(pool, old);
      return [name, block];
    }),
  );
  cache.capacity = grown;
  refreshFeeds(cache);
}

function maskRow({ promptLength, capacity }: KeyValueCache): number {
  return promptLength + capacity + 1;
}

/** Rebuilds mask and feeds after arrays were replaced. */
export function refreshFeeds(cache: KeyValueCache): void {
  const { traits, grid, promptLength, capacity, stored } = cache;
  const { kvHeads, headDim } = traits;
  const groups = grid.prompts.length;
  const row = maskRow(cache);
  const mask = new Float32Array(grid.slots.length * row);
  for (const slot of grid.slots.keys()) {
    const start = slot * row;
    const length = cache.lengths[Math.floor(slot / grid.width)]!;
    mask.fill(MASKED, start + length, start + promptLength);
    mask.fill(MASKED, start + promptLength + stored[slot]!, start + row - 1);
  }
  cache.mask = mask;
  const feeds: Record<string, Value> = { mask: floats(mask, [groups, 1, grid.width, 1, row]) };
  for (const [name, block] of cache.prompt) {
    feeds[name] = floats(block, [groups, kvHeads, promptLength, headDim]);
  }
  for (const [name, block] of cache.own) {
    feeds[name] = floats(block, [groups, kvHeads, grid.width, capacity, headDim]);
  }
  cache.feeds = feeds;
}
