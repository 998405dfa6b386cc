import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainMode } from '../../../contracts/config.ts';
import type {
  AdamWOptions,
  ObjectiveOptions,
  TrainingSequence,
} from '../../../contracts/policy.ts';
import { parseSafetensors } from '../../../policy/checkpoint/safetensors.ts';
import type { Weights } from '../../../policy/models/initial-weights.ts';

/** What test/fixtures/families/generate.py writes about one way to train. */
interface ModeReference {
  /** Learning rates of the update between GRPO's two gradients, and of the training steps. */
  readonly updateRate: number;
  readonly trainingRate: number;
  readonly supervised: { readonly loss: number };
  readonly grpo: {
    readonly loss: number;
    readonly gradNorm: number;
    readonly entropy: number;
    readonly kl: number;
    readonly clipRatioLow: number;
    readonly clipRatioHigh: number;
    readonly cappedRatio: number;
  };
  readonly training: { readonly losses: readonly number[]; readonly gradNorms: readonly number[] };
}

/** What transformers and PyTorch computed with a checkpoint. */
export interface ParityReference {
  readonly sequences: readonly TrainingSequence[];
  readonly objective: ObjectiveOptions;
  readonly optimizer: Omit<AdamWOptions, 'learningRate'>;
  /** The reference policy of the KL term, where all weights train: the checkpoint times this. */
  readonly referenceScale: number;
  readonly adapters: { readonly rank: number; readonly alpha: number };
  readonly warmupSteps: number;
  readonly sequencesPerStep: number;
  readonly greedy: readonly {
    readonly promptIds: readonly number[];
    readonly ids: readonly number[];
    readonly logprobs: readonly number[];
  }[];
  readonly modes: { readonly [mode in TrainMode]: ModeReference };
  /** Beyond this many elements only every n-th of a tensor is stored. */
  readonly maxElements: number;
  /** `logits`, `adapter.<name>`, `<mode>.<loss>.<name>`. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

export async function readParityReference(folder: string): Promise<ParityReference> {
  const json = await readFile(join(folder, 'reference.json'), 'utf8');
  const file = 'reference.safetensors';
  const tensors = parseSafetensors(await readFile(join(folder, file)), file);
  return {
    ...(JSON.parse(json) as Omit<ParityReference, 'tensors'>),
    tensors: new Map(
      [...tensors].map(([name, { data }]) => [
        name,
        data instanceof Float32Array ? data : new Float32Array(),
      ]),
    ),
  };
}

/** Every n-th element, as many as the reference has. */
export function sampled(data: Float32Array, maxElements: number): Float32Array {
  const stride = Math.ceil(data.length / maxElements);
  return stride === 1 ? data : data.filter((_, i) => i % stride === 0);
}

/** How far tensors are apart, relative to the reference: in L2 norm, and in the largest element. */
export function relativeErrors(
  actual: Float32Array,
  expected: Float32Array,
): { readonly norm: number; readonly largest: number } {
  let [error, square, worst, largest] = [0, 0, 0, 0];
  expected.forEach((e, i) => {
    const difference = Math.abs(e - (actual[i] ?? Number.NaN));
    error += difference ** 2;
    square += e ** 2;
    worst = Math.max(worst, difference);
    largest = Math.max(largest, Math.abs(e));
  });
  return { norm: Math.sqrt(error / square), largest: worst / largest };
}

/** The adapters of the reference, in the shapes that `specs` give. */
export function adaptersOf(
  reference: ParityReference,
  specs: readonly { readonly name: string; readonly dims: readonly number[] }[],
): Weights {
  return new Map(
    specs.map(({ name, dims }) => [
      name,
      { dims, data: reference.tensors.get(`adapter.${name}`)! },
    ]),
  );
}
