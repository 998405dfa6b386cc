import type { ModelTraits } from './model-traits.ts';

/** How rotary frequencies are stretched so that a policy reads longer texts than it was first trained on. */
export type RopeScaling =
  | {
      /** All frequencies divided by `factor`. */
      readonly type: 'linear';
      readonly factor: number;
    }
  | {
      /** Llama 3.1: slow frequencies divided by `factor`, fast ones kept, those between them mixed. */
      readonly type: 'llama3';
      readonly factor: number;
      /** Waves longer than `originalContext` / this are slow. */
      readonly lowFrequencyFactor: number;
      /** Waves shorter than `originalContext` / this are fast. */
      readonly highFrequencyFactor: number;
      /** Tokens of context before the stretching. */
      readonly originalContext: number;
    };

/** The angle (radians) that each pair of a head turns by per position: θ^(−2i/headDim), scaled; [headDim / 2]. */
export function rotaryFrequencies({ headDim, ropeTheta, ropeScaling }: ModelTraits): number[] {
  return Array.from({ length: headDim / 2 }, (_, i) => {
    const plain = ropeTheta ** ((-2 * i) / headDim);
    return ropeScaling === undefined ? plain : scaled(plain, ropeScaling);
  });
}

function scaled(frequency: number, scaling: RopeScaling): number {
  if (scaling.type === 'linear') return frequency / scaling.factor;
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
  // How often the wave fits into the original context.
  const waves = (scaling.originalContext * frequency) / (2 * Math.PI);
  if (waves < low) return frequency / factor;
  if (waves > high) return frequency;
  const kept = (waves - low) / (high - low);
  return ((1 - kept) * frequency) / factor + kept * frequency;
}
