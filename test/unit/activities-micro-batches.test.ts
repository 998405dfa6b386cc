import { describe, expect, it } from 'vitest';
import { withMicroBatches } from '../../activities/micro-batches.ts';
import { ToolsampleError } from '../../contracts/errors.ts';

const outOfMemory = (): ToolsampleError => new ToolsampleError('out-of-memory', 'not enough');

describe('withMicroBatches', () => {
  it('halves until it fits', async () => {
    const tried: number[] = [];
    const result = await withMicroBatches(4096, async (tokens) => {
      tried.push(tokens);
      if (tokens > 1024) throw outOfMemory();
      return tokens;
    });
    expect(result).toBe(1024);
    expect(tried).toEqual([4096, 2048, 1024]);
  });

  it('gives up where smaller makes no difference', async () => {
    const tried: number[] = [];
    const call = withMicroBatches(300, async (tokens) => {
      tried.push(tokens);
      throw outOfMemory();
    });
    await expect(call).rejects.toMatchObject({ code: 'out-of-memory' });
    expect(tried).toEqual([300, 150, 75]);
  });

  it('passes every other error on at once', async () => {
    let calls = 0;
    const call = withMicroBatches(300, async () => {
      calls++;
      throw new ToolsampleError('non-finite', 'NaN');
    });
    await expect(call).rejects.toMatchObject({ code: 'non-finite' });
    expect(calls).toBe(1);
  });
});
