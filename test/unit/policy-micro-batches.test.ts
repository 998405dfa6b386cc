import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planMicroBatches } from '../../policy/training/micro-batches.ts';
import { tokenWeights } from '../../policy/training/token-weights.ts';

const ids = (min: number) =>
  fc.array(fc.integer({ min: 1, max: 99 }), { minLength: min, maxLength: 12 });
const sequences = fc.array(fc.record({ promptIds: ids(1), completionIds: ids(1) }), {
  maxLength: 20,
});

describe('micro-batches', () => {
  it('hold every sequence once, within the limit, and predict each completion token from what is before it', () => {
    fc.assert(
      fc.property(sequences, fc.integer({ min: 1, max: 80 }), (given, limit) => {
        const batches = planMicroBatches(given, limit);
        expect(batches.flatMap(({ members }) => members).sort((a, b) => a - b)).toEqual(
          given.map((_, i) => i),
        );
        for (const batch of batches) {
          expect(batch.rows === 1 || batch.rows * batch.length <= limit).toBe(true);
          let next = 0;
          batch.members.forEach((member, row) => {
            const { promptIds = [], completionIds = [] } = given[member] ?? {};
            completionIds.forEach((id, t) => {
              const position = Number(batch.predicting[next]);
              const seen = [...batch.ids.subarray(row * batch.length, position + 1)];
              expect(seen).toEqual([...promptIds, ...completionIds.slice(0, t)]);
              expect(batch.targets[next++]).toBe(id);
            });
          });
          expect(next).toBe(batch.targets.length);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('token weights', () => {
  const batch = [
    { completionIds: [1, 2, 3], masked: false },
    { completionIds: [1], masked: false },
    { completionIds: [1, 2, 3, 4, 5], masked: true },
  ];
  it.each([
    ['dapo', [1 / 4, 1 / 4, 0]],
    ['bnpo', [1 / 4, 1 / 4, 0]],
    ['grpo', [1 / 9, 1 / 3, 0]],
    ['dr_grpo', [1 / 30, 1 / 30, 0]],
  ] as const)('%s', (lossType, expected) => {
    expect(tokenWeights(batch, { lossType, maxCompletionLength: 10 })).toEqual(expected);
  });
});
