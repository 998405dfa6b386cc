import type { Tensor as Value } from 'onnxruntime-node';
import type { Precision } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type {
  GeneratedCompletion,
  GenerationPrompt,
  SamplingParameters,
} from '../../contracts/policy.ts';
import { floats, floatScalar, type Feeds, type Runtime } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { ropeTable } from '../models/decoder.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import type { RunningBatch } from './batch-interface.ts';
import { completeGroups } from './complete-groups.ts';
import { matrixPlace } from './generation-costs.ts';
import { generationMemory } from './generation-memory.ts';
import { createGenerationSessions, type SessionMatrices } from './generation-sessions.ts';
import type { Choice } from './graph-interface.ts';
import { fedTensors, type MatrixPlace } from './matrices.ts';
import { BUDGET, promptGroups, type GenerationBudget } from './prompt-groups.ts';
import { createRunningBatch } from './running-batch.ts';

export interface GeneratorOptions {
  readonly traits: ModelTraits;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  readonly runtime: Runtime;
  /** What may be under way at once; the default suits any machine. */
  readonly budget?: GenerationBudget;
}

/** Where the matrices of the two passes are. */
interface MatrixPlaces {
  readonly prefill: MatrixPlace;
  readonly decode: MatrixPlace;
}

/** Lets a long call be watched and stopped. */
interface GenerationCall {
  /** After each token of a batch: tokens made, and the most that can come of what is still open. */
  readonly onTokens?: (done: number, total: number) => void;
  /** Called before each run of a graph; throws to stop. */
  readonly checkAbort?: () => void;
  /** Default: `float32`. */
  readonly precision?: Precision;
  /** Names the weights' content: what was prepared for it serves later calls of the same name. */
  readonly weightsKey?: string;
  /** Called before anything is computed, with the bytes by which the process may grow, as estimated: may free what else it holds. */
  readonly makeRoom?: (growth: number, choice: Choice) => Promise<void>;
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
  /**
   * A batch that prompts join and leave while others are completed. No other call before it has come to its end.
   * @param call what stops a step, the precision, and what names the weights
   */
  readonly openBatch: (
    weights: Weights,
    budget: GenerationBudget,
    call: Pick<GenerationCall, 'checkAbort' | 'precision' | 'weightsKey'>,
  ) => Promise<RunningBatch>;
  /** Gives back the memory that serves later calls with the same weights. */
  readonly forgetWeights: () => Promise<void>;
  /** Gives back the memory of all its sessions, or of all but those of a choice; a later call takes it again. */
  readonly close: (but?: Choice) => Promise<void>;
}

/** Sessions are opened when first needed. */
export function createGenerator(options: GeneratorOptions): Generator {
  const { traits, contextLength, budget = BUDGET } = options;
  const sessions = createGenerationSessions(traits, options.runtime);
  const { cos, sin } = ropeTable(traits, contextLength);
  const dims = [contextLength, traits.headDim / 2];
  const rope = { cos: floats(cos, dims), sin: floats(sin, dims) };
  const placesFor = async (precision: Precision, steps: number): Promise<MatrixPlaces> => {
    if (precision === 'float32') return { prefill: 'fed', decode: matrixPlace(traits, steps) };
    requireCpu(options.runtime);
    const type = await sessions.weightType();
    return { prefill: type, decode: type };
  };
  /** What prefills and decodes, with its weights and other feeds. */
  const passes = async (
    choice: Choice,
    places: MatrixPlaces,
    policy: Omit<SessionMatrices, 'place'>,
    common: Feeds,
  ) => {
    const prefill = { ...policy, place: places.prefill };
    const decode = { ...policy, place: places.decode };
    return {
      prefill: await sessions.prefill(choice, prefill),
      continuedPrefill: async () => sessions.continuedPrefill(choice, prefill),
      decode: await sessions.decode(choice, decode),
      prefillFeeds: { ...common, ...weightFeeds(traits, prefill) },
      decodeFeeds: { ...common, ...weightFeeds(traits, decode) },
    };
  };
  return {
    generate: async (weights, prompts, sampling, call = {}) => {
      checkPrompts(options, prompts);
      const choice: Choice = sampling.temperature === 0 ? 'greedy' : 'sampled';
      const common = {
        ...rope,
        inverse_temperature: floatScalar(choice === 'greedy' ? 1 : 1 / sampling.temperature),
      };
      const groups = promptGroups(options, prompts, sampling.maxNewTokens, budget);
      const rows = groups.flatMap((group) => group.rows);
      const report = (): void => {
        if (call.onTokens === undefined) return;
        const done = rows.reduce((sum, row) => sum + row.ids.length, 0);
        const open = rows.reduce(
          (sum, row) => sum + (row.finished ? row.ids.length : row.limit),
          0,
        );
        call.onTokens(done, open);
      };
      const longest = Math.max(0, ...rows.map((row) => row.limit));
      const places = await placesFor(call.precision ?? 'float32', longest);
      await call.makeRoom?.(generationMemory(traits, groups, places.decode, budget), choice);
      await completeGroups(
        {
          traits,
          eosIds: options.eosIds,
          budget,
          ...(await passes(choice, places, { weights, key: call.weightsKey }, common)),
          place: places.decode,
          choice,
          sampling,
          check: () => call.checkAbort?.(),
          report,
        },
        groups,
      );
      if (call.weightsKey === undefined) await sessions.forgetWeights();
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
    openBatch: async (weights, batchBudget, call) => {
      // It will last: packing pays wherever it can.
      const places = await placesFor(call.precision ?? 'float32', Number.POSITIVE_INFINITY);
      return createRunningBatch({
        traits,
        contextLength,
        eosIds: options.eosIds,
        budget: batchBudget,
        choice: 'mixed',
        ...(await passes('mixed', places, { weights, key: call.weightsKey }, rope)),
        check: () => call.checkAbort?.(),
      });
    },
    forgetWeights: sessions.forgetWeights,
    close: sessions.close,
  };
}

/** The weights that a graph is fed, without a copy. */
function weightFeeds(traits: ModelTraits, { weights, place }: SessionMatrices): Feeds {
  const feeds: Record<string, Value> = {};
  for (const { name } of fedTensors(traits, place)) {
    const { dims, data } = weights.get(name)!;
    feeds[name] = floats(data, dims);
  }
  return feeds;
}

/** Other providers lack these products, or have others. @throws ToolsampleError `config` */
function requireCpu({ device }: Runtime): void {
  if (device === 'cpu') return;
  throw new ToolsampleError(
    'config',
    `8-bit matrices are for the CPU, the policy is on ${device}`,
    { hint: 'take float32 instead of int8, or device cpu' },
  );
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
