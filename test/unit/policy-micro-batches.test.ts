import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planMicroBatches, type MicroBatch } from '../../policy/training/micro-batches.ts';
import { separateRows, sharedRows, type PackedRow } from '../../policy/training/packed-rows.ts';
import { tokenWeights } from '../../policy/training/token-weights.ts';

const ids = (min: number, max: number) =>
  fc.array(fc.integer({ min: 1, max: 99 }), { minLength: min, maxLength: max });
// Few prompts, so that some sequences share one.
const sequences = fc
  .tuple(
    fc.array(ids(1, 9), { minLength: 1, maxLength: 4 }),
    fc.array(fc.tuple(fc.nat(3), ids(1, 12)), { maxLength: 16 }),
  )
  .map(([prompts, drawn]) =>
    drawn.map(([i, completionIds]) => ({
      promptIds: prompts[i % prompts.length] ?? [1],
      completionIds,
    })),
  );

/** The tokens that the one at `position` of a row sees, in the order of their positions. */
function seenBy(batch: MicroBatch, position: number): number[] {
  const start = Math.floor(position / batch.length) * batch.length;
  const seen: number[] = [];
  for (let s = start; s <= position; s++) {
    if (batch.segments[s] !== 0 && batch.segments[s] !== batch.segments[position]) continue;
    expect(batch.positions[s]).toBe(BigInt(seen.length));
    seen.push(batch.ids[s] ?? -1);
  }
  return seen;
}

const CHEAP_ATTENTION = { linear: 1, attention: 0 };
const DEAR_ATTENTION = { linear: 0, attention: 1 };

describe('micro-batches', () => {
  it('hold every sequence once, within the limit, and predict each completion token from what is before it', () => {
    fc.assert(
      fc.property(
        sequences,
        fc.integer({ min: 1, max: 80 }),
        fc.boolean(),
        (given, limit, share) => {
          const rows = share ? sharedRows(given, CHEAP_ATTENTION, limit) : separateRows(given);
          const batches = planMicroBatches(given, rows, limit);
          const members = batches.flatMap((batch) => batch.members);
          expect(members.sort((a, b) => a - b)).toEqual(given.map((_, i) => i));
          for (const batch of batches) {
            expect(batch.rows === 1 || batch.rows * batch.length <= limit).toBe(true);
            expect(new Set(batch.predicting).size).toBe(batch.targets.length);
            let next = 0;
            for (const member of batch.members) {
              const { promptIds = [], completionIds = [] } = given[member] ?? {};
              for (const [t, id] of completionIds.entries()) {
                const seen = seenBy(batch, Number(batch.predicting[next]));
                expect(seen).toEqual([...promptIds, ...completionIds.slice(0, t)]);
                expect(batch.targets[next++]).toBe(id);
              }
            }
            expect(next).toBe(batch.targets.length);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

const group = (prompt: number[], sizes: number[]) =>
  sizes.map((size) => ({
    promptIds: prompt,
    completionIds: Array.from({ length: size }, () => 1),
  }));

const lengths = (rows: readonly PackedRow[]): number[] => rows.map(({ length }) => length);

describe('rows', () => {
  const given = [...group([1, 2, 3, 4], [5, 6, 7]), ...group([9], [2])];

  it('are shared by the completions of a prompt as far as that is cheaper and fits', () => {
    expect(lengths(separateRows(given))).toEqual([8, 9, 10, 2]);
    expect(lengths(sharedRows(given, CHEAP_ATTENTION, 100))).toEqual([21, 2]);
    expect(lengths(sharedRows(given, CHEAP_ATTENTION, 20))).toEqual([14, 10, 2]);
    expect(lengths(sharedRows(given, CHEAP_ATTENTION, 1))).toEqual([8, 9, 10, 2]);
    expect(lengths(sharedRows(given, DEAR_ATTENTION, 100))).toEqual([8, 9, 10, 2]);
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
