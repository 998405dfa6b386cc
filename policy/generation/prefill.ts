import { Tensor as Value } from 'onnxruntime-node';
import { floatData, floats, type Feeds } from '../graph/session.ts';
import { fetchNames } from './graph-interface.ts';
import { MASKED } from './key-value-cache.ts';
import { startLongPrefill } from './long-prefill.ts';
import { readChoices, type NextTokens } from './next-tokens.ts';
import {
  cacheNames,
  isLong,
  PREFILL_TOKENS,
  type PrefilledPrompts,
  type PrefillRun,
} from './prefill-run.ts';

/**
 * Prefills prompts, neighbours in one run: give them sorted by length. A long one is computed block by block.
 * @param feedsFor weights, rotary tables, and temperature of so many prompts from one on.
 * @throws what `run.check` throws
 */
export async function prefillPrompts(
  run: PrefillRun,
  feedsFor: (from: number, count: number) => Feeds,
  prompts: readonly (readonly number[])[],
): Promise<PrefilledPrompts> {
  const { traits } = run;
  const [only] = prompts;
  if (only !== undefined && prompts.length === 1 && isLong(traits, only.length, run.budget)) {
    return prefillLong(run, feedsFor(0, 1), only);
  }
  const length = Math.max(...prompts.map((ids) => ids.length));
  const size = traits.kvHeads * length * traits.headDim;
  const names = cacheNames(traits);
  const blocks = new Map(names.map(({ feed }) => [feed, new Float32Array(prompts.length * size)]));
  const next: NextTokens[] = [];
  for (let from = 0; from < prompts.length;) {
    const count = batchSize(run, prompts, from);
    const batch = prompts.slice(from, from + count);
    const done = await prefillBatch(run, feedsFor(from, count), batch);
    next.push(...done.next);
    for (const { feed } of names) {
      const first = from * traits.kvHeads;
      copyHeads(
        done.blocks.get(feed)!,
        done.length,
        blocks.get(feed)!,
        length,
        first,
        traits.headDim,
      );
    }
    from += count;
  }
  return { length, blocks, next };
}

/** How many prompts from `from` on are computed together; lengths may rise or fall. */
function batchSize(
  { traits, budget }: PrefillRun,
  prompts: readonly (readonly number[])[],
  from: number,
): number {
  let longest = 0;
  let count = 0;
  while (from + count < prompts.length) {
    longest = Math.max(longest, prompts[from + count]!.length);
    if (count > 0 && longest * (count + 1) > PREFILL_TOKENS) break;
    const long = isLong(traits, longest, budget);
    if (count > 0 && long) break;
    count++;
    if (long) break;
  }
  return count;
}

/** Prompts in one run, or a long one in several. */
async function prefillBatch(
  run: PrefillRun,
  feeds: Feeds,
  batch: readonly (readonly number[])[],
): Promise<PrefilledPrompts> {
  const { traits, choice } = run;
  const length = Math.max(...batch.map((ids) => ids.length));
  if (isLong(traits, length, run.budget)) return prefillLong(run, feeds, batch[0]!);
  run.check();
  const all = { ...feeds, ...promptFeeds(batch, length) };
  const results = await run.prefill.run(all, fetchNames(traits, choice));
  const blocks = new Map(
    cacheNames(traits).map(({ feed, fetch }) => [feed, floatData(results, fetch)]),
  );
  const choices = readChoices(results);
  return { length, blocks, next: batch.map((_, row) => ({ results: choices, row })) };
}

async function prefillLong(
  run: PrefillRun,
  feeds: Feeds,
  ids: readonly number[],
): Promise<PrefilledPrompts> {
  const prefill = startLongPrefill({ ...run, feeds }, ids);
  for (;;) {
    const done = await prefill.advance();
    if (done !== null) return done;
  }
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
