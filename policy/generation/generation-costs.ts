import type { ModelTraits } from '../models/model-traits.ts';
import type { MatrixPlace } from './matrices.ts';

/*
 * What generation is thought to cost, in seconds of one core. Only compared with one another, never measured at run time: the
 * same request is then computed in the same batches on any machine and at any load.
 */

const FLOPS_PER_SECOND = 5e10;
const BYTES_PER_SECOND = 5e9;
const COPIED_BYTES_PER_SECOND = 1e9;
/** Of the weights in fp32. */
const WEIGHT_BYTES_PER_SECOND: { readonly [place in MatrixPlace]: number } = {
  fed: 1e10,
  packed: 2.5e10,
  int8: 5e10,
  uint8: 5e10,
};

/** One token of one slot: its matrix products. */
export function slotSeconds(traits: ModelTraits): number {
  return (2 * parametersPerToken(traits)) / FLOPS_PER_SECOND;
}

/** Reading the keys and values of so many tokens once. */
export function cacheSeconds(traits: ModelTraits, tokens: number): number {
  return (tokens * keyValueBytes(traits)) / BYTES_PER_SECOND;
}

/** Copying the keys and values of so many tokens. */
export function copySeconds(traits: ModelTraits, tokens: number): number {
  return (tokens * keyValueBytes(traits)) / COPIED_BYTES_PER_SECOND;
}

/** Reading the weights once, which a run of a graph does for however many rows. */
export function weightSeconds(traits: ModelTraits, place: MatrixPlace): number {
  return (4 * parametersPerToken(traits)) / WEIGHT_BYTES_PER_SECOND[place];
}

/** Weights that one token is multiplied with. */
function parametersPerToken({
  hidden,
  heads,
  kvHeads,
  headDim,
  ffn,
  layers,
  vocab,
}: ModelTraits): number {
  const attention = 2 * hidden * headDim * (heads + kvHeads);
  return layers * (attention + 3 * hidden * ffn) + hidden * vocab;
}

/** Bytes of keys and values of one token, all layers. */
export function keyValueBytes({ layers, kvHeads, headDim }: ModelTraits): number {
  return 2 * 4 * layers * kvHeads * headDim;
}

/** Smaller matrices stay in the processor's caches, where their layout matters little. */
const PACKED_BYTES = 64 * 1024 ** 2;
/** Packing takes as long as some fifty decoding steps save. */
const PACKED_STEPS = 64;

/**
 * Where decoding's matrices go in fp32. Rounding differs between the places, so the request alone decides, not what happens to be
 * packed already.
 * @param steps tokens of the longest completion at most.
 */
export function matrixPlace(traits: ModelTraits, steps: number): MatrixPlace {
  const large = 4 * parametersPerToken(traits) >= PACKED_BYTES;
  return large && steps >= PACKED_STEPS ? 'packed' : 'fed';
}
