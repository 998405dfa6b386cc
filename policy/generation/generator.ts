import { Tensor as Value } from 'onnxruntime-node';
import { ToolsampleError } from '../../contracts/errors.ts';
import type {
  GeneratedCompletion,
  GenerationPrompt,
  SamplingParameters,
} from '../../contracts/policy.ts';
import { floats, floatScalar, openSession, type Feeds, type Session } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { ropeTable } from '../models/llama.ts';
import type { LlamaTraits } from '../models/llama-traits.ts';
import {
  buildDecodeGraph,
  buildPrefillGraph,
  fetchNames,
  gridFeeds,
  type Choice,
} from './generation-graphs.ts';
import { appendToken, createCache, regrid, type KeyValueCache } from './key-value-cache.ts';
import { chooseToken, readChoices, type NextTokens } from './next-tokens.ts';
import { prefillPrompts } from './prefill.ts';
import { planGrid } from './row-grid.ts';
import { planWaves, type WaveRow } from './waves.ts';

export interface GeneratorOptions {
  readonly traits: LlamaTraits;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  readonly threads: number;
}

/** Lets a long call be watched and stopped. */
export interface GenerationCall {
  /** After each token of a batch: tokens made, and the most that can come of what is still open. */
  readonly onTokens?: (done: number, total: number) => void;
  /** Called before each run of a graph; throws to stop. */
  readonly checkAbort?: () => void;
}

/** Completes prompts with any weights of one architecture. One call at a time. */
export interface Generator {
  /**
   * Completions in the order of prompts and seeds.
   * @throws ToolsampleError `dataset` when a prompt leaves no room in the context or holds an unknown id
   */
  readonly generate: (
    weights: Weights,
    prompts: readonly GenerationPrompt[],
    sampling: SamplingParameters,
    call?: GenerationCall,
  ) => Promise<GeneratedCompletion[]>;
  readonly close: () => Promise<void>;
}

/**
 * Weights are fed, never built in: a session outlives every update of the policy, and feeding copies nothing.
 * Sessions are opened when first needed.
 */
export function createGenerator(options: GeneratorOptions): Generator {
  const sessions = new Map<string, Promise<Session>>();
  const open = (kind: 'prefill' | 'decode', choice: Choice): Promise<Session> => {
    const key = `${kind}.${choice}`;
    const build = kind === 'prefill' ? buildPrefillGraph : buildDecodeGraph;
    const session =
      sessions.get(key) ?? openSession(build(options.traits, choice), options.threads);
    sessions.set(key, session);
    return session;
  };
  const { cos, sin } = ropeTable(options.traits, options.contextLength);
  const dims = [options.contextLength, options.traits.headDim / 2];
  const rope = { cos: floats(cos, dims), sin: floats(sin, dims) };
  return {
    generate: async (weights, prompts, sampling, call = {}) => {
      checkPrompts(options, prompts);
      const choice: Choice = sampling.temperature === 0 ? 'greedy' : 'sampled';
      const feeds: Record<string, Value> = {
        ...rope,
        inverse_temperature: floatScalar(choice === 'greedy' ? 1 : 1 / sampling.temperature),
      };
      for (const [name, { dims: shape, data }] of weights) feeds[name] = floats(data, shape);
      const waves = planWaves(options, prompts, sampling.maxNewTokens);
      const rows = waves.flat();
      const report = (): void => {
        if (call.onTokens === undefined) return;
        const done = rows.reduce((sum, row) => sum + row.ids.length, 0);
        const open = rows.reduce(
          (sum, row) => sum + (row.finished ? row.ids.length : row.limit),
          0,
        );
        call.onTokens(done, open);
      };
      const run: WaveRun = {
        options,
        prefill: await open('prefill', choice),
        decode: await open('decode', choice),
        choice,
        sampling,
        shared: feeds,
        check: () => call.checkAbort?.(),
        report,
      };
      for (const wave of waves) await completeWave(run, prompts, wave);
      return rows
        .sort((a, b) => a.prompt - b.prompt || a.index - b.index)
        .map(({ prompt, index, ids, logprobs, stopped }) => ({
          prompt,
          index,
          ids,
          logprobs,
          finishReason: stopped ? 'stop' : 'length',
        }));
    },
    close: async () => {
      for (const session of sessions.values()) await (await session).release();
    },
  };
}

interface WaveRun {
  readonly options: GeneratorOptions;
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
async function completeWave(
  run: WaveRun,
  prompts: readonly GenerationPrompt[],
  wave: readonly WaveRow[],
): Promise<void> {
  const { traits } = run.options;
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

  const plan = () => {
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
function take({ options, sampling }: WaveRun, row: WaveRow, next: NextTokens): void {
  const { id, logprob } = chooseToken(
    next,
    options.traits.vocab,
    sampling,
    row.seed,
    row.ids.length,
  );
  row.ids.push(id);
  row.logprobs.push(logprob);
  row.stopped = options.eosIds.includes(id);
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

function checkPrompts(
  { traits, contextLength }: GeneratorOptions,
  prompts: readonly GenerationPrompt[],
): void {
  for (const [i, { ids }] of prompts.entries()) {
    if (ids.length === 0 || ids.length >= contextLength) {
      throw new ToolsampleError(
        'dataset',
        `prompt ${i + 1} has ${ids.length} tokens, the policy's context ${contextLength}`,
        { hint: 'a prompt must leave room for at least one token: lower maxPromptLength' },
      );
    }
    const foreign = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= traits.vocab);
    if (foreign === undefined) continue;
    throw new ToolsampleError(
      'tokenizer',
      `prompt ${i + 1} holds token id ${foreign}, the policy's vocabulary has ${traits.vocab}`,
      { hint: 'encode prompts with the policy’s own tokenizer' },
    );
  }
}
