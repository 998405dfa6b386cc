import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import type { Tensor } from '../graph/graph.ts';
import { add, matMul } from '../graph/operations.ts';
import type { WeightTensor } from './initial-weights.ts';
import { linear } from './decoder.ts';
import { tensorSpecs, type ModelTraits, type TensorSpec } from './model-traits.ts';

/** A low-rank adapter on every linear projection of the layers: W + (alpha / rank)·B·A. */
export interface LoraOptions {
  readonly rank: number;
  readonly alpha: number;
  /** Seed of the initial A matrices. */
  readonly seed: number;
}

/** Names of the adapter of a projection's weight: A [rank, in], B [out, rank]. */
export function loraNames(weightName: string): { readonly a: string; readonly b: string } {
  const stem = weightName.replace(/\.weight$/, '');
  return { a: `${stem}.lora_A.weight`, b: `${stem}.lora_B.weight` };
}

function adapted(traits: ModelTraits): TensorSpec[] {
  return tensorSpecs(traits).filter(
    (spec) => spec.role === 'projection' || spec.role === 'residual-projection',
  );
}

/** The adapter tensors of a policy, in a fixed order. */
export function loraSpecs(traits: ModelTraits, rank: number): { name: string; dims: number[] }[] {
  return adapted(traits).flatMap(({ name, dims: [out = 0, width = 0] }) => [
    { name: loraNames(name).a, dims: [rank, width] },
    { name: loraNames(name).b, dims: [out, rank] },
  ]);
}

/** Fresh adapters: A uniform in ±1/√in (Kaiming with a = √5, as in PEFT), B zero, so the policy is unchanged at first. */
export function initialAdapters(traits: ModelTraits, lora: LoraOptions): Map<string, WeightTensor> {
  const tensors = new Map<string, WeightTensor>();
  for (const {
    name,
    dims: [out = 0, width = 0],
  } of adapted(traits)) {
    const names = loraNames(name);
    const random = seededRandom(hashSeed(lora.seed, 'lora', name));
    const bound = 1 / Math.sqrt(width);
    const a = Float32Array.from({ length: lora.rank * width }, () => (2 * random() - 1) * bound);
    tensors.set(names.a, { dims: [lora.rank, width], data: a });
    tensors.set(names.b, { dims: [out, lora.rank], data: new Float32Array(out * lora.rank) });
  }
  return tensors;
}

/** x·Wᵀ + (alpha / rank)·(x·Aᵀ)·Bᵀ. */
export function adaptedLinear(
  x: Tensor,
  weight: Tensor,
  a: Tensor,
  b: Tensor,
  scale: number,
): Tensor {
  const low = matMul(x, a, { transB: true });
  return add(linear(x, weight), matMul(low, b, { transB: true, alpha: scale }));
}
