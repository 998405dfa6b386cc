import type { Tensor as Value } from 'onnxruntime-node';
import { ToolsampleError } from '../../contracts/errors.ts';
import type {
  GeneratedCompletion,
  GenerationPrompt,
  SamplingParameters,
} from '../../contracts/policy.ts';
import { floats, floatScalar, openSession, type Session } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { ropeTable } from '../models/llama.ts';
import type { LlamaTraits } from '../models/llama-traits.ts';
import { completeWave, type WaveRun } from './complete-wave.ts';
import { buildDecodeGraph } from './decode-graph.ts';
import type { Choice } from './graph-interface.ts';
import { buildPrefillGraph } from './prefill-graph.ts';
import { planWaves } from './waves.ts';

export interface GeneratorOptions {
  readonly traits: LlamaTraits;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  readonly threads: number;
}

/** Lets a long call be watched and stopped. */
interface GenerationCall {
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
        traits: options.traits,
        eosIds: options.eosIds,
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
