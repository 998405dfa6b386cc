import type { TrainingState } from './training-state.ts';

/** The gradients of micro-batches, one after the other, as one. */
export interface GradientTotal {
  /** To be called after each micro-batch. */
  readonly add: () => void;
  /** To be called after the last one: the state holds the total. */
  readonly end: () => void;
}

/**
 * Where all weights train, graphs add to the gradients that they are fed, in place: a copy would cost what the policy weighs. Adapters
 * are small: each micro-batch's gradient is computed by itself, and added here. So it does not matter who computed it, and
 * {@link import('./gradient-shards.ts').applyShards} comes to the same bits.
 */
export function gradientTotal(state: TrainingState): GradientTotal {
  const { data } = state.gradients;
  data.fill(0);
  if (state.model.lora === null) return { add: () => undefined, end: () => undefined };
  const total = new Float32Array(data.length);
  return {
    add: () => {
      addInto(total, data);
      data.fill(0);
    },
    end: () => {
      data.set(total);
    },
  };
}

/** total ← total + part, in float32. */
export function addInto(total: Float32Array, part: Float32Array): void {
  for (let i = 0; i < total.length; i++) total[i]! += part[i]!;
}
