import { describe, expect, it } from 'vitest';
import { withMicroBatches, type TrainingBudget } from '../../activities/micro-batches.ts';
import { trainingMemory } from '../../activities/training-memory.ts';
import { ToolsampleError } from '../../contracts/errors.ts';

const outOfMemory = (): ToolsampleError => new ToolsampleError('out-of-memory', 'not enough');
const budget = (microBatchTokens: number): TrainingBudget => ({
  microBatchTokens,
  memory: trainingMemory('none'),
});
const brief = ({ microBatchTokens, memory }: TrainingBudget): string =>
  `${microBatchTokens}${memory.recompute ? ' recomputed' : ''}`;

describe('withMicroBatches', () => {
  it('recomputes, then halves until it fits', async () => {
    const tried: string[] = [];
    const result = await withMicroBatches(budget(4096), 10, async (affordable) => {
      tried.push(brief(affordable));
      if (affordable.microBatchTokens > 1024) throw outOfMemory();
      return affordable.microBatchTokens;
    });
    expect(result).toBe(1024);
    expect(tried).toEqual(['4096', '4096 recomputed', '2048 recomputed', '1024 recomputed']);
  });

  it.each([
    { longest: 10, last: ['150 recomputed', '75 recomputed', '64 recomputed'] },
    { longest: 140, last: ['150 recomputed', '140 recomputed'] },
  ])('gives up where smaller makes no difference: $longest', async ({ longest, last }) => {
    const tried: string[] = [];
    const call = withMicroBatches(budget(300), longest, async (affordable) => {
      tried.push(brief(affordable));
      throw outOfMemory();
    });
    await expect(call).rejects.toMatchObject({ code: 'out-of-memory' });
    expect(tried).toEqual(['300', '300 recomputed', ...last]);
  });

  it('passes every other error on at once', async () => {
    let calls = 0;
    const call = withMicroBatches(budget(300), 10, async () => {
      calls++;
      throw new ToolsampleError('non-finite', 'NaN');
    });
    await expect(call).rejects.toMatchObject({ code: 'non-finite' });
    expect(calls).toBe(1);
  });
});

describe('the memory limit', () => {
  it.each([
    ['8GB', 8e9],
    ['1.5 gib', 1.5 * 2 ** 30],
    ['500MB', 5e8],
  ])('%s is %d bytes, which a batch must be within', (setting, limit) => {
    expect(trainingMemory(setting)).toEqual({ limit, strict: true, recompute: false });
  });

  it('auto is a share of the machine, none is none', () => {
    const { limit, strict } = trainingMemory('auto');
    expect(limit).toBeGreaterThan(1e8);
    expect(strict).toBe(false);
    expect(trainingMemory('none').limit).toBeNull();
  });
});
