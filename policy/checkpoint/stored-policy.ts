import type { ArtifactReader } from '../../contracts/artifacts.ts';
import type { PolicyRef, TrainableOptions } from '../../contracts/policy.ts';
import type { Weights, WeightTensor } from '../models/initial-weights.ts';
import { tensorSpecs, type ModelTraits } from '../models/model-traits.ts';
import { initialAdapters, loraSpecs } from '../models/lora.ts';
import { openAdapterMerger } from '../models/merged-weights.ts';
import { openBaseWeights, readArchitecture } from './base-weights.ts';
import { manifestFiles, type CheckpointFiles } from './checkpoint-files.ts';
import { loadTensors, openTensors } from './load-tensors.ts';

/** A policy of the store, open for reading, a tensor at a time. */
export interface StoredPolicy {
  readonly files: CheckpointFiles;
  readonly traits: ModelTraits;
  /** LoRA's adapters; null where all weights train. */
  readonly adapters: Weights | null;
  /** A tensor as the policy completes prompts with it, adapters merged. */
  read(name: string): Promise<WeightTensor>;
  close(): Promise<void>;
}

/** What trained tensors are called in messages. */
const TRAINED = 'trained weights';

/**
 * Opens a policy. What is open can be read to the end, even if its artifacts are deleted meanwhile.
 * @throws ToolsampleError `not-found` or `corrupt-artifact` from the store, `checkpoint` when a file does not fit the others
 */
export async function openStoredPolicy(
  policy: PolicyRef,
  trainable: TrainableOptions,
  artifacts: ArtifactReader,
): Promise<StoredPolicy> {
  const files = await manifestFiles(policy.base, artifacts);
  const architecture = await readArchitecture(files);
  const { traits } = architecture;
  const trained = policy.weights === null ? null : await artifacts.path(policy.weights);
  if (trainable.mode === 'full' && trained !== null) {
    const weights = await openTensors(trained, tensorSpecs(traits), TRAINED);
    return { files, traits, adapters: null, ...weights };
  }
  const base = await openBaseWeights(files, architecture);
  if (trainable.mode === 'full') return { files, traits, adapters: null, ...base };
  try {
    const { loraRank: rank, loraAlpha: alpha, seed } = trainable;
    const adapters =
      trained === null
        ? initialAdapters(traits, { rank, alpha, seed })
        : await loadTensors(trained, loraSpecs(traits, rank), TRAINED);
    const merger = await openAdapterMerger(adapters, alpha / rank, 0);
    return {
      files,
      traits,
      adapters,
      read: async (name) => merger.merge(name, await base.read(name)),
      close: async () => {
        await merger.close();
        await base.close();
      },
    };
  } catch (error) {
    await base.close();
    throw error;
  }
}
