import { Tensor as Value } from 'onnxruntime-node';
import { floatData, floats, type Feeds } from '../graph/session.ts';
import { fetchNames } from './graph-interface.ts';
import { MASKED } from './key-value-cache.ts';
import { readChoices } from './next-tokens.ts';
import {
  cacheNames,
  prefillTokenBytes,
  type PrefilledPrompts,
  type PrefillRun,
} from './prefill-run.ts';

/** Tokens of a block at most: whoever is under way waits for each block. */
const BLOCK_TOKENS = 512;

/** What a long prompt is prefilled with. */
interface LongPrefillRun extends PrefillRun {
  /** Weights, rotary tables, and temperature. */
  readonly feeds: Feeds;
}

/** A prompt whose keys and values are computed block by block. */
export interface LongPrefill {
  /** Computes a block. @returns null while others are left. */
  readonly advance: () => Promise<PrefilledPrompts | null>;
}

/** A prompt of which nothing is computed yet. Its memory grows with its length, not with the square of it. */
export function startLongPrefill(run: LongPrefillRun, ids: readonly number[]): LongPrefill {
  const { traits } = run;
  const { kvHeads, headDim } = traits;
  const names = cacheNames(traits);
  const block = Math.min(
    BLOCK_TOKENS,
    Math.max(1, Math.floor(run.budget.prefillBytes / prefillTokenBytes(traits, ids.length))),
  );
  // Each is [1, kvHeads, done, headDim] at its beginning, and is spread as more is done.
  let blocks: ReadonlyMap<string, Float32Array> = new Map();
  let done = 0;

  const pastFeeds = (): Feeds => {
    const feeds: Record<string, Value> = {
      start: new Value('int64', BigInt64Array.of(BigInt(done)), [1]),
    };
    for (const [name, data] of blocks) {
      const past = data.subarray(0, kvHeads * done * headDim);
      feeds[name] = floats(past, [1, kvHeads, done, headDim]);
    }
    return feeds;
  };

  return {
    advance: async () => {
      run.check();
      if (done === 0) {
        const size = kvHeads * ids.length * headDim;
        blocks = new Map(names.map(({ feed }) => [feed, new Float32Array(size)]));
      }
      const end = Math.min(ids.length, done + block);
      const session = done === 0 ? run.prefill : await run.continuedPrefill();
      const feeds = {
        ...run.feeds,
        ...blockFeeds(ids.slice(done, end), done),
        ...(done === 0 ? {} : pastFeeds()),
      };
      const results = await session.run(feeds, fetchNames(traits, run.choice));
      for (const { feed, fetch } of names) {
        extendHeads(blocks.get(feed)!, done * headDim, floatData(results, fetch), kvHeads);
      }
      done = end;
      if (done < ids.length) return null;
      return { length: done, blocks, next: [{ results: readChoices(results), row: 0 }] };
    },
  };
}

/** Feeds of tokens behind `past` others. */
function blockFeeds(ids: readonly number[], past: number): Feeds {
  const count = ids.length;
  const width = past + count;
  const mask = new Float32Array(count * width);
  for (let t = 0; t < count; t++) mask.fill(MASKED, t * width + past + t + 1, (t + 1) * width);
  return {
    ids: new Value('int32', Int32Array.from(ids), [1, count]),
    rows: new Value('int64', BigInt64Array.of(BigInt(count - 1)), [1]),
    mask: floats(mask, [count, width]),
  };
}

/**
 * Puts what is new of each head behind what is there of it.
 * @param data [heads, before] at its beginning, then [heads, before + new]. @param added [heads, new].
 */
function extendHeads(data: Float32Array, before: number, added: Float32Array, heads: number): void {
  const more = added.length / heads;
  // From the last on: nothing is written over before it is moved.
  for (let head = heads - 1; head >= 0; head--) {
    const to = head * (before + more);
    data.copyWithin(to, head * before, (head + 1) * before);
    data.set(added.subarray(head * more, (head + 1) * more), to + before);
  }
}
