import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import { elementCount, tensorSpecs, type ModelTraits, type TensorSpec } from './model-traits.ts';

/** A tensor's values in row-major order. */
export interface WeightTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}
export type Weights = ReadonlyMap<string, WeightTensor>;

const EMBEDDING_DEVIATION = 0.03;
/** Small: at the start each block adds little to the residual stream. */
const RESIDUAL_DEVIATION = 0.005;

function deviation({ role, dims }: TensorSpec): number {
  if (role === 'projection') return 1 / Math.sqrt(dims[1] ?? 1);
  return role === 'residual-projection' ? RESIDUAL_DEVIATION : EMBEDDING_DEVIATION;
}

/** Fills `target` with independent normal numbers (Box and Muller), a function of the seed alone. */
function fillNormal(target: Float32Array, scale: number, seed: number): void {
  const random = seededRandom(seed);
  for (let i = 0; i < target.length; i += 2) {
    const radius = scale * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    target[i] = radius * Math.cos(angle);
    target[i + 1] = radius * Math.sin(angle);
  }
}

/**
 * The weights of a fresh policy: embeddings N(0, .03), projections N(0, 1/√fan-in), those that write into the residual stream
 * N(0, .005), norms 1, biases 0 [ours]. Same traits and seed: same bytes.
 */
export function initialWeights(traits: ModelTraits, seed: number): Map<string, WeightTensor> {
  return new Map(
    tensorSpecs(traits).map((spec) => {
      const data = new Float32Array(elementCount(spec.dims));
      if (spec.role === 'norm') data.fill(1);
      else if (spec.role !== 'bias')
        fillNormal(data, deviation(spec), hashSeed(seed, 'initial-weights', spec.name));
      return [spec.name, { dims: spec.dims, data }];
    }),
  );
}
