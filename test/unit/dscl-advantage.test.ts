import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advantages } from '../../dscl/advantage.ts';
import { backfillGroups, firstRoundGroups, hasSignal } from '../../dscl/filter.ts';
import { wilsonInterval } from '../../dscl/wilson-interval.ts';

const GROUP = { scaleRewards: 'group', floor: 0.1 } as const;
const rewards = fc.array(fc.double({ min: -3, max: 4, noNaN: true }), {
  minLength: 2,
  maxLength: 8,
});

describe('advantages', () => {
  it('works out by hand', () => {
    // 1, 2, 3: mean 2, sample deviation 1. 0, 4: mean 2, sample deviation √8.
    const groups = [
      [1, 2, 3],
      [0, 4],
    ];
    const [first, second] = advantages(groups, GROUP);
    expect(first).toEqual([expect.closeTo(-1 / 1.1, 12), 0, expect.closeTo(1 / 1.1, 12)]);
    expect(second?.[1]).toBeCloseTo(2 / (Math.sqrt(8) + 0.1), 12);
    expect(advantages(groups, { ...GROUP, scaleRewards: 'none' })).toEqual([
      [-1, 0, 1],
      [-2, 2],
    ]);
    // All five: mean 2, squares 1 + 0 + 1 + 4 + 4 = 10, variance 10/4.
    const [, batch] = advantages(groups, { ...GROUP, scaleRewards: 'batch' });
    expect(batch?.[1]).toBeCloseTo(2 / (Math.sqrt(2.5) + 0.1), 12);
  });

  it('are exactly 0 in a group of equals, even without a floor', () => {
    const equals = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
    expect(advantages([equals], GROUP)).toEqual([equals.map(() => 0)]);
    expect(advantages([equals], { scaleRewards: 'group', floor: 0 })).toEqual([
      equals.map(() => 0),
    ]);
  });

  it('sum to 0, keep the order of rewards, and ignore a common shift', () => {
    fc.assert(
      fc.property(rewards, fc.integer({ min: -4, max: 4 }), (group, shift) => {
        const [got] = advantages([group], GROUP) as [number[]];
        expect(got.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 9);
        for (const [i, a] of got.entries()) {
          for (const [j, b] of got.entries()) {
            if ((group[i] as number) > (group[j] as number)) expect(a).toBeGreaterThanOrEqual(b);
          }
        }
        const [shifted] = advantages([group.map((r) => r + shift)], GROUP) as [number[]];
        for (const [i, a] of shifted.entries()) expect(a).toBeCloseTo(got[i] as number, 7);
      }),
    );
  });

  it('of a group do not depend on the other groups', () => {
    fc.assert(
      fc.property(rewards, rewards, (one, other) => {
        expect(advantages([one, other], GROUP)[0]).toEqual(advantages([one], GROUP)[0]);
      }),
    );
  });
});

describe('filtering', () => {
  it('drops exactly equal groups only', () => {
    expect(hasSignal([1, 1, 1])).toBe(false);
    expect(hasSignal([])).toBe(false);
    expect(hasSignal([1, 1, 1 + Number.EPSILON])).toBe(true);
  });

  it('rolls out a quarter more at first, as far as the corpus reaches', () => {
    expect(firstRoundGroups(16, 1.25, 256)).toBe(20);
    expect(firstRoundGroups(10, 1.1, 256)).toBe(11);
    expect(firstRoundGroups(16, 1.25, 18)).toBe(18);
    expect(firstRoundGroups(16, 1, 256)).toBe(16);
  });

  it('backfills what is missing, within rounds and corpus', () => {
    const situation = {
      kept: 12, wanted: 16, round: 0, maxBackfillRounds: 2, oversample: 1.25, remaining: 200,
    }; // prettier-ignore
    expect(backfillGroups(situation)).toBe(5);
    expect(backfillGroups({ ...situation, round: 2 })).toBe(0);
    expect(backfillGroups({ ...situation, kept: 16 })).toBe(0);
    expect(backfillGroups({ ...situation, kept: 19 })).toBe(0);
    expect(backfillGroups({ ...situation, remaining: 3 })).toBe(3);
    expect(backfillGroups({ ...situation, remaining: 0 })).toBe(0);
    expect(backfillGroups({ ...situation, maxBackfillRounds: 0 })).toBe(0);
  });
});

describe('wilsonInterval', () => {
  it('works out by hand', () => {
    // 8 of 10: centre (.8 + .19207)/1.38415 = .71674; half .22664.
    const { low, high } = wilsonInterval(8, 10);
    expect(low).toBeCloseTo(0.4902, 4);
    expect(high).toBeCloseTo(0.9433, 4);
  });

  it('stays in [0, 1], holds the share, and narrows with more trials', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(400), (successes, failures) => {
        const trials = successes + failures;
        const { low, high } = wilsonInterval(successes, trials);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        if (trials === 0) return;
        expect(low).toBeLessThanOrEqual(successes / trials);
        expect(high).toBeGreaterThanOrEqual(successes / trials);
        const more = wilsonInterval(4 * successes, 4 * trials);
        expect(more.high - more.low).toBeLessThan(high - low);
      }),
    );
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
  });
});
