import type { Tensor as Value } from 'onnxruntime-node';
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
import { createGenerationSessions } from './generation-sessions.ts';
import { fedTensors, type Choice, type MatrixPlace } from './graph-interface.ts';
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

/** Lets a long call be watched and stopped. */
interface GenerationCall {
  /** After each token of a batch: tokens made, and the most that can come of what is still open. */
  readonly onTokens?: (done: number, total: number) => void;
  /** Called before each run of a graph; throws to stop. */
  readonly checkAbort?: () => void;
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
   * @param call what stops a step, and names the weights
   */
  readonly openBatch: (
    weights: Weights,
    budget: GenerationBudget,
    call: Pick<GenerationCall, 'checkAbort' | 'weightsKey'>,
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
      const place = matrixPlace(traits, Math.max(0, ...rows.map((row) => row.limit)));
      await call.makeRoom?.(generationMemory(traits, groups, place, budget), choice);
      await completeGroups(
        {
          traits,
          eosIds: options.eosIds,
          budget,
          prefill: await sessions.prefill(choice),
          continuedPrefill: async () => sessions.continuedPrefill(choice),
          decode: await sessions.decode(choice, place, weights, call.weightsKey),
          place,
          choice,
          sampling,
          prefillFeeds: { ...common, ...weightFeeds(traits, weights, 'fed') },
          decodeFeeds: { ...common, ...weightFeeds(traits, weights, place) },
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
      const place = matrixPlace(traits, Number.POSITIVE_INFINITY);
      return createRunningBatch({
        traits,
        contextLength,
        eosIds: options.eosIds,
        budget: batchBudget,
        choice: 'mixed',
        prefill: await sessions.prefill('mixed'),
        continuedPrefill: async () => sessions.continuedPrefill('mixed'),
        decode: await sessions.decode('mixed', place, weights, call.weightsKey),
        prefillFeeds: { ...rope, ...weightFeeds(traits, weights, 'fed') },
        decodeFeeds: { ...rope, ...weightFeeds(traits, weights, place) },
        check: () => call.checkAbort?.(),
      });
    },
    forgetWeights: sessions.forgetWeights,
    close: sessions.close,
  };
}

/** The weights that a graph is fed, without a copy. */
function weightFeeds(traits: ModelTraits, weights: Weights, place: MatrixPlace): Feeds {
  const feeds: Record<string, Value> = {};
  for (const { name } of fedTensors(traits, place)) {
    const { dims, data } = weights.get(name)!;
    feeds[name] = floats(data, dims);
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
