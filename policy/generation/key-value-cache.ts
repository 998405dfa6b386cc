import type { Tensor as Value } from 'onnxruntime-node';
import { floatData, floats, type Feeds } from '../graph/session.ts';
import type { LlamaTraits } from '../models/llama-traits.ts';
import {
  newKeys,
  newValues,
  ownKeys,
  ownValues,
  promptKeys,
  promptValues,
} from './graph-interface.ts';
import type { RowGrid } from './row-grid.ts';

/** Added to a score that must not count. */
export const MASKED = -1e9;

/** Own positions are allocated in steps: small ones at first, then half of what is there. */
const FIRST_CAPACITY = 16;

/** Keys or values of one layer. */
type Block = Float32Array;

/**
 * What the decode graph reads of the past, for the rows of one grid. All rows have generated equally many tokens.
 * Prompt part [P, kvHeads, promptLength, headDim], own part [P, kvHeads, G, capacity, headDim], by feed name.
 */
export interface KeyValueCache {
  readonly traits: LlamaTraits;
  readonly grid: RowGrid;
  /** Padded length of the prompts. */
  readonly promptLength: number;
  /** Length of each group's prompt. */
  readonly lengths: readonly number[];
  readonly prompt: ReadonlyMap<string, Block>;
  own: ReadonlyMap<string, Block>;
  capacity: number;
  /** Own tokens stored. */
  stored: number;
  mask: Float32Array;
  /** All of the above as feeds; replaced when arrays are. */
  feeds: Feeds;
}

/** Names of a layer's own and prompt feeds and of the fetch that fills the own one. */
function layerFeeds(traits: LlamaTraits): { prompt: string; own: string; made: string }[] {
  return Array.from({ length: traits.layers }, (_, layer) => [
    { prompt: promptKeys(layer), own: ownKeys(layer), made: newKeys(layer) },
    { prompt: promptValues(layer), own: ownValues(layer), made: newValues(layer) },
  ]).flat();
}

/**
 * An empty own part behind prompts that were prefilled.
 * @param prompt blocks [prompts, kvHeads, promptLength, headDim] by prompt feed name. @param lengths of these prompts.
 */
export function createCache(
  traits: LlamaTraits,
  grid: RowGrid,
  prompt: ReadonlyMap<string, Block>,
  promptLength: number,
  lengths: readonly number[],
): KeyValueCache {
  const identity = Array.from({ length: lengths.length }, (_, i) => i);
  const groupPrompts = gatherGroups(traits, grid.prompts, identity, prompt, promptLength);
  const cache: KeyValueCache = {
    traits,
    grid,
    promptLength,
    lengths: grid.prompts.map((index) => lengths[index]!),
    prompt: groupPrompts,
    own: new Map(),
    capacity: FIRST_CAPACITY,
    stored: 0,
    mask: new Float32Array(0),
    feeds: {},
  };
  const size = ownSize(cache, FIRST_CAPACITY);
  cache.own = new Map(layerFeeds(traits).map(({ own }) => [own, new Float32Array(size)]));
  refresh(cache);
  return cache;
}

/** Appends the keys and values of the token just computed, growing the own part when the next one needs room. */
export function appendToken(cache: KeyValueCache, results: Feeds): void {
  const { traits, capacity, stored } = cache;
  const width = traits.headDim;
  for (const { own, made } of layerFeeds(traits)) {
    const source = floatData(results, made);
    const target = cache.own.get(own)!;
    let to = stored * width;
    for (let from = 0; from < source.length; to += (capacity - 1) * width) {
      for (let i = 0; i < width; i++) target[to++] = source[from++]!;
    }
  }
  cache.stored++;
  if (cache.stored < capacity) {
    const row = cache.promptLength + capacity + 1;
    for (let group = 0; group < cache.lengths.length; group++) {
      cache.mask[group * row + cache.promptLength + stored] = 0;
    }
    return;
  }
  const grown = capacity + Math.max(FIRST_CAPACITY, Math.floor(capacity / 32) * 16);
  const blocks = ownBlocks(cache);
  cache.own = new Map(
    [...cache.own].map(([name, old]) => {
      const block = new Float32Array(ownSize(cache, grown));
      for (let slot = 0; slot < blocks; slot++) {
        const part = old.subarray(slot * capacity * width, (slot + 1) * capacity * width);
        block.set(part, slot * grown * width);
      }
      return [name, block];
    }),
  );
  cache.capacity = grown;
  refresh(cache);
}

/** Slots × key heads: how many separate own sequences a layer holds. */
function ownBlocks({ grid, traits }: KeyValueCache): number {
  return grid.slots.length * traits.kvHeads;
}

/** The same past for fewer rows, laid out by another grid. */
export function regrid(cache: KeyValueCache, grid: RowGrid): KeyValueCache {
  const { traits, capacity } = cache;
  const { kvHeads, headDim } = traits;
  const slotOf = new Map(cache.grid.slots.map((row, slot) => [row, slot]));
  const length = capacity * headDim;
  const own = new Map<string, Block>();
  for (const [name, old] of cache.own) {
    const block = new Float32Array(grid.slots.length * kvHeads * length);
    for (const [slot, row] of grid.slots.entries()) {
      if (row < 0) continue;
      const oldSlot = slotOf.get(row)!;
      for (let head = 0; head < kvHeads; head++) {
        const from = blockIndex(cache.grid, kvHeads, oldSlot, head) * length;
        block.set(
          old.subarray(from, from + length),
          blockIndex(grid, kvHeads, slot, head) * length,
        );
      }
    }
    own.set(name, block);
  }
  const next: KeyValueCache = {
    ...cache,
    grid,
    own,
    lengths: grid.prompts.map((prompt) => cache.lengths[cache.grid.prompts.indexOf(prompt)]!),
    prompt: gatherGroups(
      traits,
      grid.prompts,
      cache.grid.prompts,
      cache.prompt,
      cache.promptLength,
    ),
  };
  refresh(next);
  return next;
}

/** Index of a slot's block for one key head in [P, kvHeads, G]. */
function blockIndex({ width }: RowGrid, kvHeads: number, slot: number, head: number): number {
  return (Math.floor(slot / width) * kvHeads + head) * width + (slot % width);
}

/** Prompt blocks for the groups of a grid; the very same arrays when nothing changes. */
function gatherGroups(
  traits: LlamaTraits,
  wanted: readonly number[],
  present: readonly number[],
  prompt: ReadonlyMap<string, Block>,
  promptLength: number,
): ReadonlyMap<string, Block> {
  if (wanted.length === present.length && wanted.every((index, i) => index === present[i])) {
    return prompt;
  }
  const size = traits.kvHeads * promptLength * traits.headDim;
  return new Map(
    [...prompt].map(([name, old]) => {
      const block = new Float32Array(wanted.length * size);
      for (const [group, index] of wanted.entries()) {
        const from = present.indexOf(index) * size;
        block.set(old.subarray(from, from + size), group * size);
      }
      return [name, block];
    }),
  );
}

function ownSize({ grid, traits }: KeyValueCache, capacity: number): number {
  return grid.slots.length * traits.kvHeads * capacity * traits.headDim;
}

/** Rebuilds mask and feeds after arrays were replaced. */
function refresh(cache: KeyValueCache): void {
  const { traits, grid, promptLength, capacity, stored } = cache;
  const { kvHeads, headDim } = traits;
  const groups = grid.prompts.length;
  const row = promptLength + capacity + 1;
  const mask = new Float32Array(groups * row);
  for (const [group, length] of cache.lengths.entries()) {
    const start = group * row;
    mask.fill(MASKED, start + length, start + promptLength);
    mask.fill(MASKED, start + promptLength + stored, start + row - 1);
  }
  cache.mask = mask;
  const feeds: Record<string, Value> = { mask: floats(mask, [groups, 1, 1, 1, row]) };
  for (const [name, block] of cache.prompt) {
    feeds[name] = floats(block, [groups, kvHeads, promptLength, headDim]);
  }
  for (const [name, block] of cache.own) {
    feeds[name] = floats(block, [groups, kvHeads, grid.width, capacity, headDim]);
  }
  cache.feeds = feeds;
}
