import { Tensor as Value } from 'onnxruntime-node';
import type { GenerationPrompt, SamplingParameters } from '../../contracts/policy.ts';
import type { Feeds, Session } from '../graph/session.ts';
import type { LlamaTraits } from '../models/llama-traits.ts';
import { gridFeeds } from './decode-graph.ts';
import { fetchNames, type Choice } from './graph-interface.ts';
import { appendToken, createCache, regrid, type KeyValueCache } from './key-value-cache.ts';
import { chooseToken, readChoices, type NextTokens } from './next-tokens.ts';
import { prefillPrompts } from './prefill.ts';
import { planGrid, type RowGrid } from './row-grid.ts';
import type { WaveRow } from './waves.ts';

/** What the waves of one call have in common. */
export interface WaveRun {
  readonly traits: LlamaTraits;
  readonly eosIds: readonly number[];
  readonly prefill: Session;
  readonly decode: Session;
  readonly choice: Choice;
  readonly sampling: SamplingParameters;
  /** Weights, rotary tables, temperature. */
  readonly shared: Feeds;
  readonly check: () => void;
  readonly report: () => void;
}

/** A grid is given up for a smaller one when this share of its cost is enough. */
const COMPACTION_SHARE = 0.8;

/** Rows that run together from prefill to the last token. */
export async function completeWave(
  run: WaveRun,
  prompts: readonly GenerationPrompt[],
  wave: readonly WaveRow[],
): Promise<void> {
  const { traits } = run;
  const indices = [...new Set(wave.map((row) => row.prompt))];
  const ids = indices.map((index) => prompts[index]!.ids);
  const prefilled = await prefillPrompts(
    run.prefill,
    traits,
    run.choice,
    run.shared,
    ids,
    run.check,
  );
  const place = new Map(indices.map((prompt, i) => [prompt, i]));
  const promptOf = (row: number): number => place.get(wave[row]!.prompt)!;
  wave.forEach((row, i) => take(run, row, prefilled.next[promptOf(i)]!));
  run.report();

  const plan = (): RowGrid | null => {
    const open = [...wave.keys()].filter((row) => !wave[row]!.finished);
    return open.length === 0 ? null : planGrid(traits, open, promptOf, prefilled.length);
  };
  let best = plan();
  if (best === null) return;
  const lengths = ids.map((prompt) => prompt.length);
  let cache = createCache(traits, best, prefilled.blocks, prefilled.length, lengths);
  while (best !== null) {
    if (best.cost <= COMPACTION_SHARE * cache.grid.cost) cache = regrid(cache, best);
    run.check();
    const results = await run.decode.run(
      { ...run.shared, ...cache.feeds, ...stepFeeds(traits, cache, wave) },
      fetchNames(traits, run.choice),
    );
    appendToken(cache, results);
    const choices = readChoices(results);
    cache.grid.slots.forEach((row, slot) => {
      if (row >= 0 && !wave[row]!.finished) take(run, wave[row]!, { results: choices, row: slot });
    });
    run.report();
    best = plan();
  }
}

/** Gives a row its next token. */
function take({ traits, eosIds, sampling }: WaveRun, row: WaveRow, next: NextTokens): void {
  const { id, logprob } = chooseToken(next, traits.vocab, sampling, row.seed, row.ids.length);
  row.ids.push(id);
  row.logprobs.push(logprob);
  row.stopped = eosIds.includes(id);
  row.finished = row.stopped || row.ids.length >= row.limit;
}

/** What changes with every token: ids, positions, and the sizes that the graph cannot know. */
function stepFeeds(traits: LlamaTraits, cache: KeyValueCache, wave: readonly WaveRow[]): Feeds {
  const { grid, lengths, stored } = cache;
  const ids = new Int32Array(grid.slots.length);
  const positions = new BigInt64Array(grid.slots.length);
  grid.slots.forEach((row, slot) => {
    if (row < 0) return;
    ids[slot] = wave[row]!.ids[stored] ?? 0;
    positions[slot] = BigInt(lengths[Math.floor(slot / grid.width)]! + stored);
  });
  const shapes = gridFeeds(traits, grid.width, cache.promptLength, cache.capacity);
  const feeds: Record<string, Value> = {
    ids: new Value('int32', ids, [ids.length, 1]),
    positions: new Value('int64', positions, [ids.length, 1]),
  };
  for (const [name, shape] of Object.entries(shapes)) {
    feeds[name] = new Value('int64', BigInt64Array.from(shape, BigInt), [shape.length]);
  }
  return feeds;
}
