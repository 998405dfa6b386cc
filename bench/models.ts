import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { RunConfig } from '../contracts/config.ts';
import { hashSeed, seededRandom } from '../contracts/hash.ts';
import { startingPolicy } from '../activities/starting-policy.ts';
import { builtinCorpus } from '../datasets/builtin/corpus.ts';
import { loadBaseWeights, readArchitecture } from '../policy/checkpoint/base-weights.ts';
import { folderFiles, manifestFiles } from '../policy/checkpoint/checkpoint-files.ts';
import type { Weights } from '../policy/models/initial-weights.ts';
import { elementCount, tensorSpecs, type ModelTraits } from '../policy/models/model-traits.ts';
import { readPolicyText } from '../policy/text/policy-text.ts';
import { SMOLLM2_135M } from './smollm2-shape.ts';

/** A policy to measure, with the prompts it completes. */
export interface BenchModel {
  readonly name: string;
  readonly traits: ModelTraits;
  readonly weights: Weights;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  readonly prompts: readonly (readonly number[])[];
  /** Where it lies as a HF folder, if it does. */
  readonly folder?: string;
}

/** The policy of a run with as many prompts of its corpus as a step has. */
export async function policyOfRun(config: RunConfig, store: ArtifactStore): Promise<BenchModel> {
  const { base } = await startingPolicy(config, store);
  return store.reading(async (reader) => {
    const files = await manifestFiles(base, reader);
    const architecture = await readArchitecture(files);
    const text = await readPolicyText(files);
    const { seed, trainBatchSize: size, levelMix } = config;
    const { hidden, layers, vocab } = architecture.traits;
    return {
      ...architecture,
      name: `${config.policy} (d ${hidden}, ${layers} layers, vocab ${vocab})`,
      weights: await loadBaseWeights(files, architecture),
      eosIds: text.eosIds,
      prompts: [...builtinCorpus({ seed, size, levelMix })].map((sample) =>
        text.encodePrompt(sample),
      ),
    };
  });
}

/** A checkpoint in a HF folder. @throws ToolsampleError `not-found` or `checkpoint` */
export async function modelInFolder(folder: string): Promise<BenchModel> {
  const files = await folderFiles(folder);
  const architecture = await readArchitecture(files);
  const { hidden, layers, vocab } = architecture.traits;
  return {
    ...architecture,
    name: `checkpoint (d ${hidden}, ${layers} layers, vocab ${vocab})`,
    weights: await loadBaseWeights(files, architecture),
    prompts: [],
    folder,
  };
}

/** SmolLM2-135M's shape with random weights. */
export function smolLm2Shape(): BenchModel {
  return {
    name: 'SmolLM2-135M shape',
    traits: SMOLLM2_135M,
    weights: anyWeights(SMOLLM2_135M),
    contextLength: 2048,
    eosIds: [],
    prompts: [],
  };
}

/** The model with random prompts, room for their completions, and no end token: every completion has full length. */
export function withRandomPrompts(
  model: BenchModel,
  size: { readonly prompts: number; readonly promptTokens: number; readonly newTokens: number },
): BenchModel {
  return {
    ...model,
    contextLength: size.promptTokens + size.newTokens,
    eosIds: [],
    prompts: Array.from({ length: size.prompts }, (_, i) =>
      randomIds(model.traits, size.promptTokens, hashSeed('bench prompt', i)),
    ),
  };
}

/** Weights whose values don't matter: the same small random numbers over and over, which is quick for large policies. */
function anyWeights(traits: ModelTraits): Weights {
  const random = seededRandom(hashSeed('bench weights'));
  const block = Float32Array.from({ length: 1 << 16 }, () => 0.06 * (random() - 0.5));
  return new Map(
    tensorSpecs(traits).map(({ name, dims, role }) => {
      const data = new Float32Array(elementCount(dims));
      if (role === 'norm') data.fill(1);
      else for (let at = 0; at < data.length; at += block.length) fillFrom(block, data, at);
      return [name, { dims, data }];
    }),
  );
}

function fillFrom(block: Float32Array, target: Float32Array, at: number): void {
  target.set(block.subarray(0, target.length - at), at);
}

/** Token ids drawn evenly from the vocabulary. */
export function randomIds({ vocab }: ModelTraits, count: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => Math.floor(random() * vocab));
}
