import type { ModelTraits } from '../policy/models/model-traits.ts';

/** The policy that work is measured with unless another one is named. */
export const SMOLLM2_135M: ModelTraits = {
  hidden: 576,
  layers: 30,
  heads: 9,
  kvHeads: 3,
  headDim: 64,
  ffn: 1536,
  vocab: 49_152,
  ropeTheta: 100_000,
  rmsEps: 1e-5,
  tied: true,
};
