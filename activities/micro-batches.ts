import { ToolsampleError } from '../contracts/errors.ts';
import type { TrainingMemory } from '../contracts/policy.ts';

/** How much an engine call computes at once. */
export interface TrainingBudget {
  readonly microBatchTokens: number;
  readonly memory: TrainingMemory;
}

/** A micro-batch below this is not what fills a machine's memory. */
const SMALLEST = 64;

/**
 * Calls the engine again while memory runs out: with all that can be recomputed recomputed, then with half the micro-batch, and so
 * on. Slower, but the same result up to fp32 rounding.
 *
 * @param longest tokens of the longest sequence; a micro-batch smaller than that is none.
 * @throws ToolsampleError `out-of-memory` when even a small micro-batch is too large
 */
export async function withMicroBatches<T>(
  budget: TrainingBudget,
  longest: number,
  call: (budget: TrainingBudget) => Promise<T>,
): Promise<T> {
  const smallest = Math.max(SMALLEST, longest);
  for (let { microBatchTokens, memory } = budget; ;) {
    try {
      return await call({ microBatchTokens, memory });
    } catch (error) {
      const short = error instanceof ToolsampleError && error.code === 'out-of-memory';
      if (!short) throw error;
      if (!memory.recompute) memory = { ...memory, recompute: true };
      else if (microBatchTokens > smallest)
        microBatchTokens = Math.max(smallest, Math.floor(microBatchTokens / 2));
      else throw error;
    }
  }
}

/** Tokens of the longest sequence, prompt and completion. */
export function longestSequence(
  sequences: readonly {
    readonly promptIds: readonly number[];
    readonly completionIds: readonly number[];
  }[],
): number {
  return sequences.reduce(
    (longest, { promptIds, completionIds }) =>
      Math.max(longest, promptIds.length + completionIds.length),
    0,
  );
}
