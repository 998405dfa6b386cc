import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_INDICES,
  BLOCK_STEPS,
  demonstrationBatches,
  demonstrationBlock,
} from '../../activities/demonstration-batches.ts';
import { inSeededPasses } from '../../activities/demonstration-file.ts';
import { tokenised } from '../../activities/demonstrations.ts';
import { warmStartSlices } from '../../activities/warm-start-slices.ts';
import type { WarmStartPhase } from '../../contracts/config.ts';
import type { Demonstration, PolicyText } from '../../contracts/policy.ts';

const PHASE = { data: 'builtin', batchTokens: 100 } as WarmStartPhase;

/** Demonstrations that can be told apart by their one prompt token. */
function numbered(count: number, length = 10): Demonstration[] {
  return Array.from({ length: count }, (_, i) => ({
    promptIds: [i],
    completionIds: Array.from({ length: length - 1 }, () => 0),
  }));
}

function numberOf(demonstration: Demonstration | null): number | undefined {
  return demonstration?.promptIds[0];
}

describe('warmStartSlices', () => {
  it('covers every step of every phase once, in order, in slices whose work is bounded', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 4 });
    const parameters = fc.constantFrom(0, 1e3, 684_928, 135e6, 500e6, 7e9);
    fc.assert(
      fc.property(steps, parameters, (phases, size) => {
        const slices = warmStartSlices(
          phases.map((each) => ({ ...PHASE, batchTokens: 800, steps: each })),
          size,
        );
        const covered = slices.flatMap(({ phase, firstStep, steps: count }) => {
          expect(count).toBeGreaterThan(0);
          expect(count).toBeLessThanOrEqual(96);
          if (count > 1) expect(count * 800 * size).toBeLessThanOrEqual(1e12);
          return Array.from({ length: count }, (_, i) => `${phase}/${firstStep + i}`);
        });
        const wanted = phases.flatMap((count, phase) =>
          Array.from({ length: count }, (_, i) => `${phase}/${i}`),
        );
        expect(covered).toEqual(wanted);
      }),
    );
  });

  it('cuts by the work: many steps of a small policy, few of a large one', () => {
    const phase = { ...PHASE, batchTokens: 2048, steps: 200 };
    const sizes = [684_928, 135e6, 494e6].map((size) => warmStartSlices([phase], size)[0]?.steps);
    expect(sizes).toEqual([96, 3, 1]);
  });
});

describe('demonstrationBatches', () => {
  it('shows the same wherever a phase is cut', async () => {
    const stream = {
      seed: 3,
      batchTokens: 60,
      demonstrationAt: inSeededPasses(numbered(500), 3, 60),
    };
    const whole = await demonstrationBatches({ ...stream, firstStep: 0, steps: 40 });
    expect(whole).toHaveLength(40);
    const cuts = [1, 15, 16, 17, 39];
    for (const cut of cuts) {
      const parts = [
        await demonstrationBatches({ ...stream, firstStep: 0, steps: cut }),
        await demonstrationBatches({ ...stream, firstStep: cut, steps: 40 - cut }),
      ];
      expect(parts.flat()).toEqual(whole);
    }
  });
});

describe('inSeededPasses', () => {
  it('shows everything once before anything twice, in an order of its own each time', () => {
    const all = numbered(40);
    // One block takes 16 batches of 25 tokens: exactly one pass.
    const at = inSeededPasses(all, 5, 25);
    const pass = (block: number): (number | undefined)[] =>
      all.map((_, i) => numberOf(at(block * BLOCK_INDICES + i)));
    const sorted = all.map((_, i) => i);
    expect([...pass(0)].sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual(sorted);
    expect([...pass(1)].sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual(sorted);
    expect(pass(0)).not.toEqual(pass(1));
    expect(inSeededPasses(all, 6, 25)(0)).not.toEqual(at(0));
  });

  it('is the same whoever asks, in whatever order', () => {
    const all = numbered(30);
    const forwards = inSeededPasses(all, 1, 50);
    const first = [0, 1, 2, 3].map((block) => forwards(block * BLOCK_INDICES + 3));
    const backwards = inSeededPasses(all, 1, 50);
    const second = [3, 2, 1, 0].map((block) => backwards(block * BLOCK_INDICES + 3));
    expect(second.toReversed()).toEqual(first);
  });

  it('feeds blocks of batches about as large as asked', () => {
    const block = demonstrationBlock({
      seed: 3,
      block: 2,
      batchTokens: 60,
      demonstrationAt: inSeededPasses(numbered(500), 3, 60),
    });
    expect(block).toHaveLength(BLOCK_STEPS);
    for (const batch of block) {
      expect(batch.length).toBeGreaterThanOrEqual(5);
      expect(batch.length).toBeLessThanOrEqual(7);
    }
  });
});

describe('tokenised', () => {
  const text = {
    encodePrompt: () => [1, 2, 3],
    encodeCompletion: () => [4, 5],
    contextLength: 100,
  } as unknown as PolicyText;

  it('keeps what fits, and leaves out what is too long in any way', () => {
    const limits = { maxPromptLength: 3, maxCompletionLength: 2 };
    const fit = { promptIds: [1, 2, 3], completionIds: [4, 5] };
    expect(tokenised({ messages: [] }, '', text, limits)).toEqual(fit);
    expect(tokenised({ messages: [] }, '', text, { ...limits, maxPromptLength: 2 })).toBeNull();
    expect(tokenised({ messages: [] }, '', text, { ...limits, maxCompletionLength: 1 })).toBeNull();
    expect(tokenised({ messages: [] }, '', { ...text, contextLength: 4 }, limits)).toBeNull();
  });
});
