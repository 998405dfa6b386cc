import { Tensor as Value } from 'onnxruntime-node';
import { floatData, floats, type Feeds, type Session } from '../graph/session.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import {
  fetchNames,
  newKeys,
  newValues,
  promptKeys,
  promptValues,
  type Choice,
} from './graph-interface.ts';
import { MASKED } from './key-value-cache.ts';
import { readChoices, type NextTokens } from './next-tokens.ts';

/** Tokens of one prefill run at most, padding included; beyond a few hundred, larger runs are no faster. */
export const PREFILL_TOKENS = 2048;

export interface PrefilledPrompts {
  /** Padded length. */
  readonly length: number;
  /** [prompts, kvHeads, length, headDim] by the decode graph's feed names. */
  readonly blocks: ReadonlyMap<string, Float32Array>;
  /** What may follow each prompt, in the prompts' order. */
  readonly next: readonly NextTokens[];
}

/**
 * Runs prompts through the prefill graph, neighbours together: give them sorted by length.
 * @param feedsFor weights, rotary tables, and temperature of so many prompts from one on. @param check called before each
 *   run; throws to stop.
 */
export async function prefillPrompts(
  session: Session,
  traits: ModelTraits,
  choice: Choice,
  feedsFor: (from: number, count: number) => Feeds,
  prompts: readonly (readonly number[])[],
  check: () => void,
): Promise<PrefilledPrompts> {
  const length = Math.max(...prompts.map((ids) => ids.length));
  const size = traits.kvHeads * length * traits.headDim;
  const names = cacheNames(traits);
  const blocks = new Map(names.map(({ feed }) => [feed, new Float32Array(prompts.length * size)]));
  const next: NextTokens[] = [];
  for (let from = 0; from < prompts.length;) {
    check();
    const count = batchSize(prompts, from);
    const batch = prompts.slice(from, from + count);
    const padded = Math.max(...batch.map((ids) => ids.length));
    const feeds = { ...feedsFor(from, count), ...promptFeeds(batch, padded) };
    const results = await session.run(feeds, fetchNames(traits, choice));
    for (let row = 0; row < count; row++) next.push({ results: readChoices(results), row });
    for (const { feed, fetch } of names) {
      const block = blocks.get(feed)!;
      copyHeads(
        floatData(results, fetch),
        padded,
        block,
        length,
        from * traits.kvHeads,
        traits.headDim,
      );
    }
    from += count;
  }
  return { length, blocks, next };
}

/** How many prompts from `from` on fit one run; lengths may rise or fall. */
function batchSize(prompts: readonly (readonly number[])[], from: number): number {
  let longest = 0;
  let count = 0;
  while (from + count < prompts.length) {
    longest = Math.max(longest, prompts[from + count]!.length);
    if (count > 0 && longest * (count + 1) > PREFILL_TOKENS) break;
    count++;
  }
  return count;
}

function promptFeeds(batch: readonly (readonly number[])[], padded: number): Feeds {
  const ids = new Int32Array(batch.length * padded);
  batch.forEach((prompt, row) => ids.set(prompt, row * padded));
  const rows = BigInt64Array.from(batch, (prompt, row) => BigInt(row * padded + prompt.length - 1));
  const mask = new Float32Array(padded * padded);
  for (let t = 0; t < padded; t++) mask.fill(MASKED, t * padded + t + 1, (t + 1) * padded);
  return {
    ids: new Value('int32', ids, [batch.length, padded]),
    rows: new Value('int64', rows, [batch.length]),
    mask: floats(mask, [padded, padded]),
  };
}

/** Copies [n, from, width] into […, to, width] from head `first` on, leaving the rest of each head as it is. */
function copyHeads(
  source: Float32Array,
  from: number,
  target: Float32Array,
  to: number,
  first: number,
  width: number,
): void {
  const heads = source.length / (from * width);
  for (let head = 0; head < heads; head++) {
    const part = source.subarray(head * from * width, (head + 1) * from * width);
    target.set(part, (first + head) * to * width);
  }
}

/** Names of a layer's keys and values as the decode graph is fed them, and as they are fetched from a prefill. */
export function cacheNames(traits: ModelTraits): { feed: string; fetch: string }[] {
  return Array.from({ length: traits.layers }, (_, layer) => [
    { feed: promptKeys(layer), fetch: newKeys(layer) },
    { feed: promptValues(layer), fetch: newValues(layer) },
  ]).flat();
}
