import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ABLATIONS, CATEGORIES } from '../../contracts/sampling.ts';
import type { SampleStatistics, SamplingOptions } from '../../contracts/sampling.ts';
import { INITIAL_ACTIVATION, nextActivation, picksDynamically } from '../../dscl/activation.ts';
import { categorize } from '../../dscl/category.ts';
import {
  averageImportance,
  fading,
  halfLifeSteps,
  importance,
  staleImportance,
} from '../../dscl/importance.ts';
import { signals } from '../../dscl/signals.ts';
import { visitSample } from '../../dscl/statistics.ts';

const OPTIONS: SamplingOptions = {
  sampler: 'dscl',
  ablate: [],
  activationReward: 1,
  activationPatience: 7,
  hardThreshold: 1,
  varianceThreshold: 0.02,
  uniformShare: 0.1,
  temperature: 1,
  halfLifeEpochs: 2,
};
const CALL = { min: -3, max: 4 };
const RESPONSE = { min: 0, max: 1 };
const visits = (...groups: readonly (readonly number[])[]): SampleStatistics =>
  groups.reduce<SampleStatistics | null>(
    (known, rewards, i) => visitSample(known, rewards, i + 1),
    null,
  ) as SampleStatistics;
const stillAfter = (...groups: readonly (readonly number[])[]) => visits(...groups).still;

const reward = fc.double({ min: -3, max: 4, noNaN: true });
const history = fc.array(fc.array(reward, { minLength: 2, maxLength: 8 }), {
  minLength: 1,
  maxLength: 5,
});

const after = (...rewards: readonly number[]) =>
  rewards.reduce((state, mean) => nextActivation(state, mean, OPTIONS), INITIAL_ACTIVATION);
const of = (statistics: SampleStatistics, options: Partial<SamplingOptions> = {}) =>
  importance(statistics, CALL, { ...OPTIONS, ...options });

const share = (statistics: SampleStatistics, options: Partial<SamplingOptions> = {}) =>
  fading(statistics, CALL, { ...OPTIONS, ...options }).fadesTo;

describe('statistics', () => {
  it('works out by hand', () => {
    // Means 1, 3, 2: mean of means 2, population variance 2/3. Last group 1, 2, 3: variance 1.
    expect(visits([0, 2], [3, 3], [1, 2, 3])).toMatchObject({
      visits: 3,
      mean: 2,
      withinVariance: 1,
      still: 0,
      groupSize: 3,
      lastStep: 3,
      meanOfMeans: 2,
    });
    expect(visits([0, 2], [3, 3], [1, 2, 3]).epochVariance).toBeCloseTo(2 / 3, 12);
  });

  it('agrees with the plain formulas, whatever the history', () => {
    fc.assert(
      fc.property(history, (groups) => {
        const got = visits(...groups);
        const means = groups.map((g) => g.reduce((a, b) => a + b, 0) / g.length);
        const centre = means.reduce((a, b) => a + b, 0) / means.length;
        const spread = means.reduce((a, b) => a + (b - centre) ** 2, 0) / means.length;
        expect(got.epochVariance).toBeCloseTo(spread, 9);
        expect(got.mean).toBeCloseTo(means.at(-1) as number, 9);
      }),
    );
  });

  it('has exactly no variance in a group of equals', () => {
    expect(visits([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]).withinVariance).toBe(0);
  });

  it('counts the visits in a row without variance', () => {
    expect(stillAfter([1, 2])).toBe(0);
    expect(stillAfter([2, 2])).toBe(1);
    expect(stillAfter([1, 2], [3, 3], [2, 2])).toBe(2);
    expect(stillAfter([2, 2], [2, 2], [2, 2.001])).toBe(0);
  });

  it('does not depend on the order within a group', () => {
    fc.assert(
      fc.property(history, (groups) => {
        const turned = visits(...groups.map((group) => group.toReversed()));
        expect(turned.withinVariance).toBeCloseTo(visits(...groups).withinVariance, 9);
      }),
    );
  });

  it('refuses a group of one', () => {
    expect(() => visitSample(null, [1], 1)).toThrow(/numGenerations/);
  });
});

describe('activation', () => {
  it('needs 7 consecutive batches above 1.0', () => {
    expect(after(2, 2, 2, 2, 2, 2)).toEqual({ active: false, streak: 6 });
    expect(after(2, 2, 2, 2, 2, 2, 2)).toEqual({ active: true, streak: 7 });
    expect(after(2, 2, 2, 1, 2, 2, 2, 2)).toEqual({ active: false, streak: 4 });
    expect(after(1, 1, 1, 1, 1, 1, 1, 1).active).toBe(false);
  });

  it('stays on', () => {
    expect(after(2, 2, 2, 2, 2, 2, 2, -3, -3)).toEqual({ active: true, streak: 0 });
    fc.assert(
      fc.property(fc.array(reward), (rewards) => {
        let state = INITIAL_ACTIVATION;
        for (const mean of rewards) {
          const next = nextActivation(state, mean, OPTIONS);
          expect(next.active || !state.active).toBe(true);
          state = next;
        }
      }),
    );
  });

  it('is waited for by samplers that have an importance, unless ablated', () => {
    const on = { active: true, streak: 7 };
    for (const sampler of ['dscl', 'vcrl', 'difficulty'] as const) {
      expect(picksDynamically(INITIAL_ACTIVATION, { ...OPTIONS, sampler })).toBe(false);
      expect(picksDynamically(on, { ...OPTIONS, sampler })).toBe(true);
      const eager = { ...OPTIONS, sampler, ablate: ['activation'] } as const;
      expect(picksDynamically(INITIAL_ACTIVATION, eager)).toBe(true);
    }
    for (const sampler of ['uniform', 'dapo'] as const) {
      expect(picksDynamically(on, { ...OPTIONS, sampler })).toBe(false);
    }
  });
});

describe('categories', () => {
  // v: variance 49/4·G/(G−1) is the most; e: a spread of 3.5 is.
  it.each([
    ['new', null],
    ['easy', visits([4, 4])],
    ['easy', visits([-3, 4], [4, 4])],
    ['hard-live', visits([-2, -2])],
    ['hard-dead', visits([-2, -2], [-2, -2])],
    ['hard-live', visits([-2, -2], [-2, 2])],
    ['hard-live', visits([0.999, 0.999])],
    ['plateau', visits([1, 1])],
    ['plateau', visits([2, 2], [2, 2])],
    ['active', visits([2, 2], [3, 3])],
    ['active', visits([2, 4])],
  ] as const)('%s', (category, statistics) => {
    expect(categorize(statistics, CALL, OPTIONS)).toBe(category);
  });

  it("uses the sample's own range", () => {
    // The threshold 1.0 of [−3, 4] is 4/7 of [0, 1].
    expect(categorize(visits([1, 1]), RESPONSE, OPTIONS)).toBe('easy');
    expect(categorize(visits([1, 0]), RESPONSE, OPTIONS)).toBe('hard-live');
    expect(categorize(visits([1, 1, 0]), RESPONSE, OPTIONS)).toBe('active');
  });

  it('are exhaustive and exclusive', () => {
    fc.assert(
      fc.property(history, (groups) => {
        const known = visits(...groups);
        const { solved: u, within: v, across: e } = signals(known, CALL);
        const dead = known.visits >= 2 && v < 0.02;
        const conditions = {
          new: false,
          easy: u >= 1 - 1e-6,
          'hard-dead': known.mean < 1 && dead,
          'hard-live': known.mean < 1 && !dead,
          plateau: u < 1 - 1e-6 && known.mean >= 1 && v < 0.02 && e < 0.02,
          active: u < 1 - 1e-6 && known.mean >= 1 && !(v < 0.02 && e < 0.02),
        };
        fc.pre(Math.abs(known.mean - 1) > 1e-9);
        expect(CATEGORIES.filter((category) => conditions[category])).toEqual([
          categorize(known, CALL, OPTIONS),
        ]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('importance', () => {
  it('works out by hand', () => {
    // Group −3, 4: u = 1/2, v = 1, first visit e = 0; M = .5 < 1: hard and live. I = .3/2 + .5.
    expect(of(visits([-3, 4]))).toBeCloseTo(0.65, 12);
    // Means 4 and 0.5 before: u = 1/2, v = 1, e = 1.75/3.5 = 1/2.
    expect(of(visits([4, 4], [-3, 4]))).toBeCloseTo(0.15 + 0.5 + 0.1, 12);
    // Plateau at 2: u = 5/7, v = e = 0, κ = 1/2.
    expect(of(visits([2, 2]))).toBeCloseTo(0.5 * 0.3 * (2 / 7), 12);
    // Dead: u = 1/7, v = 0, e = 1/7 of means −3 and −2, κ = 1/4.
    expect(of(visits([-3, -3.5, -2.5], [-2, -2]))).toBeCloseTo(
      0.25 * (0.3 * (6 / 7) + 0.2 / 7),
      12,
    );
    expect(of(visits([4, 4]))).toBe(0);
  });

  it('is gone at a standstill, whatever moved before', () => {
    const still = visits([-3, 4], [1, 1], [1, 1]);
    expect(categorize(still, CALL, OPTIONS)).toBe('active');
    expect(of(visits([-3, 4], [1, 1]))).toBeGreaterThan(0);
    expect(of(still)).toBe(0);
    expect(share(still)).toBe(0);
    expect(of(visits([-3, 4], [1, 1], [1, 1], [1, 2]))).toBeGreaterThan(0);
    expect(of(still, { ablate: ['categories'] })).toBeGreaterThan(0);
    expect(of(still, { sampler: 'difficulty' })).toBeGreaterThan(0);
  });

  it("gives the baselines' importances", () => {
    expect(of(visits([-3, 4, 4, 4]), { sampler: 'vcrl' })).toBeCloseTo(
      12.25 / (12.25 * (4 / 3)),
      12,
    );
    expect(of(visits([0.5, 0.5]), { sampler: 'difficulty' })).toBeCloseTo(1, 12);
    expect(of(visits([4, 4]), { sampler: 'difficulty' })).toBe(0);
  });

  it('drops what is ablated and scales the rest to the same sum', () => {
    const known = visits([4, 4], [-3, 4]);
    expect(of(known, { ablate: ['mean'] })).toBeCloseTo((0.5 + 0.1) / 0.7, 12);
    expect(of(known, { ablate: ['variance'] })).toBeCloseTo((0.15 + 0.1) / 0.5, 12);
    expect(of(known, { ablate: ['epoch-variance'] })).toBeCloseTo((0.15 + 0.5) / 0.8, 12);
    expect(of(known, { ablate: ['mean', 'variance', 'epoch-variance'] })).toBe(1);
    expect(of(visits([2, 2]), { ablate: ['categories'] })).toBeCloseTo(0.3 * (2 / 7), 12);
  });

  it('lies in [0, 1] for every sampler and ablation', () => {
    const options = fc.record({
      sampler: fc.constantFrom('dscl', 'vcrl', 'difficulty', 'uniform', 'dapo'),
      ablate: fc.subarray([...ABLATIONS]),
    });
    fc.assert(
      fc.property(history, options, (groups, changed) => {
        const got = of(visits(...groups), changed);
        expect(got).toBeGreaterThanOrEqual(-1e-12);
        expect(got).toBeLessThanOrEqual(1 + 1e-12);
      }),
      { numRuns: 300 },
    );
  });

  it('does not depend on the range of rewards', () => {
    fc.assert(
      fc.property(history, (groups) => {
        const scaled = visits(...groups.map((group) => group.map((r) => (r + 3) / 7)));
        const known = visits(...groups);
        fc.pre(categorize(known, CALL, OPTIONS) === categorize(scaled, RESPONSE, OPTIONS));
        // Differences of less than a rounding of the scale are none any more.
        fc.pre(known.still === scaled.still);
        expect(importance(scaled, RESPONSE, OPTIONS)).toBeCloseTo(of(known), 6);
      }),
    );
  });

  it('of a sample never visited is that of an average one that was', () => {
    expect(averageImportance([])).toBe(1);
    expect(averageImportance([0.2, 0, 0.4])).toBeCloseTo(0.2, 12);
  });

  it('fades into its share of the average with the given half-life', () => {
    const halfLife = halfLifeSteps(2, 256, 16);
    expect(halfLife).toBe(32);
    const live = { importance: 0.8, fadesTo: 1, lastStep: 10 };
    expect(staleImportance(live, 10, 0.4, halfLife)).toBe(0.8);
    expect(staleImportance(live, 42, 0.4, halfLife)).toBeCloseTo(0.6, 12);
    expect(staleImportance(live, 74, 0.4, halfLife)).toBeCloseTo(0.5, 12);
    expect(staleImportance(live, 74, 0.4, Number.POSITIVE_INFINITY)).toBe(0.8);
    const dead = { importance: 0.08, fadesTo: 0.25, lastStep: 10 };
    expect(staleImportance(dead, 42, 0.4, halfLife)).toBeCloseTo(0.09, 12);
    expect(staleImportance(dead, 1e6, 0.4, halfLife)).toBeCloseTo(0.1, 12);
  });

  it('fades to what its category leaves; nothing brings a mastered sample back but the uniform share', () => {
    expect(share(visits([4, 4]))).toBe(0);
    expect(share(visits([-3, -3.5, -2.5], [-3, -3]))).toBe(0.25);
    expect(share(visits([-3, -3], [-3, -3]))).toBe(0);
    expect(share(visits([2, 2]))).toBe(0.5);
    expect(share(visits([-3, 4]))).toBe(1);
    expect(share(visits([4, 4]), { ablate: ['categories'] })).toBe(1);
    expect(share(visits([4, 4]), { sampler: 'vcrl' })).toBe(1);
    expect(share(visits([4, 4]), { sampler: 'difficulty' })).toBe(1);
  });
});
