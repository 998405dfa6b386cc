import type { MessagePort } from 'node:worker_threads';
import type { ArtifactRef } from '../../contracts/artifacts.ts';
import type { DeviceChoice, Precision } from '../../contracts/config.ts';
import type {
  EngineDevice,
  EngineProgress,
  GeneratedCompletion,
  GenerationRequest,
  GradientRequest,
  GradientResult,
  GradientShardRequest,
  GradientShardResult,
  ShardedStepRequest,
  SuperviseRequest,
  SuperviseResult,
  TrainableOptions,
} from '../../contracts/policy.ts';
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.ts';
import type { GenerationBudget } from '../generation/prompt-groups.ts';
import type { TransferredError } from './transferred-error.ts';

/** An artifact as the thread sees it: a verified file. */
export interface ArtifactFile {
  readonly sha256: string;
  readonly path: string;
}

/** A `PolicyRef` with its artifacts as files. */
export interface PolicyFiles {
  /** Names the base; the path of a folder that is read where it lies. */
  readonly baseSha256: string;
  readonly base: CheckpointFiles;
  readonly weights: ArtifactFile | null;
  /** Null where the call needs no optimiser. */
  readonly optimizer: ArtifactFile | null;
}

/** Where the thread writes a new policy; the main thread takes the files into the store. */
export interface NewPolicyPaths {
  readonly weights: string;
  readonly optimizer: string;
}

/** What a training call came to, and what lies under {@link NewPolicyPaths} afterwards, hashed and flushed. */
export interface Trained<Outcome> {
  readonly outcome: Outcome;
  readonly weights: ArtifactRef;
  readonly optimizer: ArtifactRef;
}

/** Calls as they cross into the thread: references resolved to files. */
export interface ThreadCalls {
  readonly generate: Omit<GenerationRequest, 'policy'> & { readonly policy: PolicyFiles };
  readonly gradientStep: Omit<GradientRequest, 'policy' | 'reference'> & {
    readonly policy: PolicyFiles;
    readonly reference: ArtifactFile | null;
    readonly paths: NewPolicyPaths;
  };
  readonly gradientShard: Omit<GradientShardRequest, 'policy' | 'reference'> & {
    readonly policy: PolicyFiles;
    readonly reference: ArtifactFile | null;
    /** Where the thread writes the gradients. */
    readonly path: string;
  };
  readonly applyGradients: Omit<ShardedStepRequest, 'policy' | 'gradients'> & {
    readonly policy: PolicyFiles;
    readonly gradients: readonly { readonly path: string; readonly microBatches: number }[];
    readonly paths: NewPolicyPaths;
  };
  readonly supervise: Omit<SuperviseRequest, 'policy'> & {
    readonly policy: PolicyFiles;
    readonly paths: NewPolicyPaths;
  };
  readonly export: {
    readonly policy: PolicyFiles;
    readonly trainable: TrainableOptions;
    readonly folder: string;
  };
  /** Goes on until it is told to end over the port. */
  readonly decode: {
    readonly policy: PolicyFiles;
    readonly trainable: TrainableOptions;
    readonly budget: GenerationBudget;
    readonly precision: Precision;
    /** Speaks decode-port.ts. */
    readonly port: MessagePort;
  };
  readonly device: null;
}
export type CallName = keyof ThreadCalls;

export interface ThreadResults {
  readonly generate: readonly GeneratedCompletion[];
  readonly gradientStep: Trained<Omit<GradientResult, 'policy' | 'seconds'>>;
  readonly gradientShard: Omit<GradientShardResult, 'seconds'>;
  readonly applyGradients: Trained<Omit<GradientResult, 'policy' | 'seconds'>>;
  readonly supervise: Trained<Omit<SuperviseResult, 'policy' | 'seconds'>>;
  readonly export: { readonly sha256: string };
  readonly decode: null;
  readonly device: EngineDevice;
}

export type ToThread =
  | {
      readonly kind: 'call';
      readonly name: CallName;
      readonly request: ThreadCalls[CallName];
      /** Shared memory; its first element becomes 1 when the call is to stop. The thread is too busy for messages. */
      readonly abort: Int32Array;
    }
  /** The policy that the last training call left in memory is now stored under these hashes. */
  | { readonly kind: 'stored'; readonly weights: string; readonly optimizer: string }
  /** Nothing will follow. */
  | { readonly kind: 'end' };

export type FromThread =
  | { readonly kind: 'progress'; readonly progress: EngineProgress }
  | { readonly kind: 'result'; readonly value: ThreadResults[CallName] }
  /** The call stopped because it was told to. */
  | { readonly kind: 'aborted' }
  | { readonly kind: 'error'; readonly error: TransferredError };

export interface ThreadOptions {
  /** Threads of ONNX Runtime; 0: all cores. */
  readonly threads: number;
  /** `auto`: the thread finds out. */
  readonly device: DeviceChoice;
}
