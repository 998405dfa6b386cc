import { initialWeights, type Weights } from '../../../policy/models/initial-weights.ts';
import type { ModelTraits } from '../../../policy/models/model-traits.ts';

/** Random weights large enough that distributions are neither flat nor one-hot. */
export function sharpWeights(traits: ModelTraits): Weights {
  const weights = initialWeights(traits, 3);
  for (const [name, { data }] of weights) {
    const scale = name.endsWith('embed_tokens.weight')
      ? 10
      : /o_proj|down_proj/.test(name)
        ? 60
        : 1;
    for (let i = 0; i < data.length; i++) data[i]! *= scale;
  }
  return weights;
}
