import { ToolsampleError } from '../contracts/errors.ts';

/** A micro-batch below this is not what fills a machine's memory. */
const SMALLEST = 64;

/**
 * Calls the engine again with half the micro-batch while memory runs out: slower, but the same result up to fp32 rounding.
 *
 * @throws ToolsampleError `out-of-memory` when even a small micro-batch is too large
 */
export async function withMicroBatches<T>(
  microBatchTokens: number,
  call: (microBatchTokens: number) => Promise<T>,
): Promise<T> {
  for (let tokens = microBatchTokens; ; tokens = Math.floor(tokens / 2)) {
    try {
      return await call(tokens);
    } catch (error) {
      const short = error instanceof ToolsampleError && error.code === 'out-of-memory';
      if (!short || tokens / 2 < SMALLEST) throw error;
    }
  }
}
