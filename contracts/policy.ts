import type { ArtifactRef } from './artifacts.ts';
import type { Device, LossType, Precision, TrainMode } from './config.ts';
import type { Prompt } from './sample.ts';

/** A policy at one instant: a base checkpoint and what training has changed since. Small; safe in a workflow payload. */
export interface PolicyRef {
  /**
   * Artifact: a JSON manifest that names each file of the base HF folder with its hash ({@link BaseManifest}). Of a training service's
   * policy only the files of its text side.
   */
  readonly base: ArtifactRef;
  /**
   * Artifact: safetensors with the trained tensors, fp32; of a training service's policy, JSON that names what the service saved. Null:
   * the base itself.
   */
  readonly weights: ArtifactRef | null;
  /**
   * Artifact: safetensors with AdamW's moments (`m.<tensor>`, `v.<tensor>`) and the step count; of a training service's policy, the same
   * as the weights. Null: a fresh optimiser.
   */
  readonly optimizer: ArtifactRef | null;
}

/** The files of a HF folder by name, each an artifact (`config.json`, `tokenizer.json`, `model.safetensors`, …). */
export interface BaseManifest {
  readonly files: { readonly [name: string]: ArtifactRef };
}

/** What trains. */
export interface TrainableOptions {
  readonly mode: TrainMode;
  readonly loraRank: number;
  readonly loraAlpha: number;
  /** Seed of LoRA's initial A matrices. */
  readonly seed: number;
}

export interface SamplingParameters {
  /** 0: greedy. */
  readonly temperature: number;
  readonly topP: number;
  readonly maxNewTokens: number;
}

/** One prompt to complete. */
export interface GenerationPrompt {
  readonly ids: readonly number[];
  /** One 53-bit seed per completion wanted; a completion's randomness depends on its seed alone. */
  readonly seeds: readonly number[];
}

export interface GenerationRequest {
  readonly policy: PolicyRef;
  readonly trainable: TrainableOptions;
  readonly prompts: readonly GenerationPrompt[];
  readonly sampling: SamplingParameters;
  /** Default: `float32`. */
  readonly precision?: Precision;
  /** What training may take: what earlier calls hold is given up where it and the completions may be more. Left out: all is kept. */
  readonly memory?: TrainingMemory;
}

/** `stop`: ended with EOS, which is part of `ids`; `length`: cut off. */
export type FinishReason = 'stop' | 'length';

export interface GeneratedCompletion {
  /** Index into the request's prompts. */
  readonly prompt: number;
  /** Index into that prompt's seeds. */
  readonly index: number;
  /** Completion tokens, EOS included. Kept to the loss: text is never tokenised again. */
  readonly ids: readonly number[];
  /** Log-probability of each token under the sampling distribution at temperature as asked, before top-p. */
  readonly logprobs: readonly number[];
  readonly finishReason: FinishReason;
}

export interface AdamWOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
}

export interface ObjectiveOptions {
  readonly lossType: LossType;
  readonly epsilon: number;
  readonly epsilonHigh: number;
  /** KL weight to the policy at the start (k3 estimator); 0 skips the reference forward pass. */
  readonly beta: number;
  readonly numIterations: number;
  readonly importanceSamplingCap: number;
  /** Temperature of the rollout: log-probabilities are of logits / temperature. */
  readonly temperature: number;
  /** L_max of `dr_grpo`. */
  readonly maxCompletionLength: number;
}

/** How much memory training may take. Decides how a batch is divided and what is computed twice, not what comes of it. */
export interface TrainingMemory {
  /** Bytes of the whole process; null: no limit. */
  readonly limit: number | null;
  /** Whether a batch that cannot be within the limit is refused; else it is computed as sparingly as can be. */
  readonly strict: boolean;
  /** Recomputes everything, whatever the limit: the answer to memory that ran out nevertheless. */
  readonly recompute: boolean;
}

/** One rollout as the loss sees it. */
export interface TrainingSequence {
  readonly promptIds: readonly number[];
  readonly completionIds: readonly number[];
  /** From the rollout, one per completion token. */
  readonly rolloutLogprobs: readonly number[];
  readonly advantage: number;
  /** Left out of the loss (cut-off completions); still counted where a loss type counts sequences. */
  readonly masked: boolean;
}

export interface GradientRequest {
  readonly policy: PolicyRef;
  /**
   * Artifact: trained tensors, as {@link PolicyRef.weights}, of the policy that KL is measured to. Left out: the base itself. Only
   * where beta is above 0.
   */
  readonly reference?: ArtifactRef;
  readonly trainable: TrainableOptions;
  readonly sequences: readonly TrainingSequence[];
  readonly objective: ObjectiveOptions;
  readonly optimizer: AdamWOptions;
  /** Tokens of one micro-batch at most, padding included. Does not change the result beyond fp32 rounding. */
  readonly microBatchTokens: number;
  /** Left out: as much memory as it takes. */
  readonly memory?: TrainingMemory;
}

export interface GradientResult {
  readonly policy: PolicyRef;
  readonly loss: number;
  /** Global L2 norm before clipping; null where a training service does not tell. */
  readonly gradNorm: number | null;
  /** Mean entropy (nats) of the policy at completion tokens; of a training service, estimated from the tokens sampled. */
  readonly entropy: number;
  /** Mean k3 estimate to the policy at the start; null when beta is 0. */
  readonly kl: number | null;
  /** Shares of active tokens whose ratio was clipped below and above. */
  readonly clipRatioLow: number;
  readonly clipRatioHigh: number;
  /** Mean |log-probability before the step − that of the rollout| of an active token. */
  readonly samplingLogpDifference: number;
  /** Tokens computed, prompts included, padding excluded. */
  readonly tokens: number;
  readonly seconds: number;
}

/** Part of a gradient step of adapters, for several workers at once. One optimiser step: `numIterations` is 1. */
export interface GradientShardRequest extends Omit<GradientRequest, 'optimizer'> {
  /** 0-based. */
  readonly shard: number;
  readonly shards: number;
}

export interface GradientShardResult {
  /** Names how the batch was divided: shards of one step belong together where it is the same. */
  readonly plan: string;
  readonly microBatches: number;
  /** Artifact: safetensors with the gradient of each micro-batch and its sums; null where no micro-batch was left for the shard. */
  readonly gradients: ArtifactRef | null;
  /** Tokens computed, as in {@link GradientResult}. */
  readonly tokens: number;
  readonly seconds: number;
}

/** The optimiser step on gradients that shards have computed; the same bits as {@link PolicyEngine.gradientStep}. */
export interface ShardedStepRequest extends Pick<
  GradientRequest,
  'policy' | 'trainable' | 'objective' | 'optimizer'
> {
  /** In the order of the shards; those without a micro-batch left out. */
  readonly gradients: readonly (Pick<GradientShardResult, 'microBatches'> & {
    readonly artifact: ArtifactRef;
  })[];
}

/** A demonstration as token ids. */
export interface Demonstration {
  readonly promptIds: readonly number[];
  /** EOS included. */
  readonly completionIds: readonly number[];
}

/** Several optimiser steps of supervised learning; loss is the mean over completion tokens of each batch. */
export interface SuperviseRequest {
  readonly policy: PolicyRef;
  readonly trainable: TrainableOptions;
  /** One entry per optimiser step, each with its own learning rate. */
  readonly batches: readonly {
    readonly demonstrations: readonly Demonstration[];
    readonly optimizer: AdamWOptions;
  }[];
  readonly microBatchTokens: number;
  /** Left out: as much memory as it takes. */
  readonly memory?: TrainingMemory;
}

export interface SuperviseResult {
  readonly policy: PolicyRef;
  /** Mean loss of the first and of the last tenth of the steps, and of all. */
  readonly firstLoss: number;
  readonly lastLoss: number;
  readonly meanLoss: number;
  readonly tokens: number;
  readonly seconds: number;
}

/** How far a long call has come. Reported from the policy thread; also proof that it still makes progress. */
export interface EngineProgress {
  readonly done: number;
  readonly total: number;
  readonly unit: 'tokens' | 'sequences' | 'steps';
}

export interface EngineCallOptions {
  readonly onProgress?: (progress: EngineProgress) => void;
  /** Stops the call at the next token or micro-batch; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How much of a graph ran elsewhere than on the device that was asked for. */
export interface GraphPlacement {
  readonly graph: string;
  readonly nodes: number;
  readonly onCpu: number;
}

/** Where an engine computes. */
export type EngineDevice =
  | {
      readonly device: Device;
      /** Of each graph that ran since the engine's thread started; empty where the device is the CPU. */
      readonly graphs: readonly GraphPlacement[];
    }
  | {
      readonly device: 'service';
      readonly url: string;
      /** The service's name for the model. */
      readonly baseModel: string;
    };

/**
 * What computes with a policy: our own engine, hosted in a worker thread, or a training service. Calls are run one after another.
 * Weights enter and leave as artifacts, never as arguments. Our own engine: same request, same machine, same bytes.
 */
export interface PolicyEngine {
  generate(
    request: GenerationRequest,
    options?: EngineCallOptions,
  ): Promise<readonly GeneratedCompletion[]>;
  gradientStep(request: GradientRequest, options?: EngineCallOptions): Promise<GradientResult>;
  /** Changes nothing. @throws ToolsampleError `config` where a training service computes: it divides its work itself */
  gradientShard(
    request: GradientShardRequest,
    options?: EngineCallOptions,
  ): Promise<GradientShardResult>;
  /** @throws ToolsampleError as {@link gradientShard} */
  applyGradients(request: ShardedStepRequest, options?: EngineCallOptions): Promise<GradientResult>;
  supervise(request: SuperviseRequest, options?: EngineCallOptions): Promise<SuperviseResult>;
  /** Writes a HF folder (LoRA merged) with `model.safetensors`; returns its hash. */
  export(
    policy: PolicyRef,
    trainable: TrainableOptions,
    folder: string,
  ): Promise<{ readonly sha256: string }>;
  /** Where it computes. @throws ToolsampleError `config` when the device does not open */
  device(): Promise<EngineDevice>;
  /** Ends the thread; pending calls reject. */
  close(): Promise<void>;
}

/** A policy's text side, pure JavaScript: fast enough for the main thread. */
export interface PolicyText {
  /**
   * Chat messages and tools to the prompt's text, with the generation prompt, by the policy's own chat template. Without
   * `tools` the messages tell of them themselves.
   */
  promptText(prompt: Prompt): string;
  /** {@link promptText} as ids. */
  encodePrompt(prompt: Prompt): number[];
  /** Any text as ids, special tokens by their names; nothing is added. */
  encode(text: string): number[];
  /** Tokens of each of many prompts; quicker than one after the other, and of bounded time like these. */
  promptLengths(prompts: readonly Prompt[]): number[];
  /** Completion text to ids, EOS appended. */
  encodeCompletion(text: string): number[];
  /** Ids to text; EOS and other special tokens left out. */
  decode(ids: readonly number[]): string;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  /** Ids are below it. */
  readonly vocabularySize: number;
}
