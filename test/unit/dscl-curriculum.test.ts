import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INITIAL_CURRICULUM, UNIT_WEIGHTS } from '../../contracts/curriculum.ts';
import type { CurriculumState } from '../../contracts/curriculum.ts';
import { SUB_TASKS } from '../../contracts/reward.ts';
import { demand, nextCurriculum, targetWeights } from '../../dscl/curriculum.ts';
import { nextMastery, poolEvidence } from '../../dscl/mastery.ts';
import type { Evidence } from '../../dscl/mastery.ts';

const NONE = { successes: 0, trials: 0 };
const evidenceOf = (format: number, name: number, key: number, value: number): Evidence => ({
  format: { successes: format, trials: 100 },
  name: { successes: name, trials: 100 },
  key: { successes: key, trials: 100 },
  value: { successes: value, trials: 100 },
});
const TDCL = { curriculum: 'tdcl', masteryRate: 0.05 } as const;
const sum = (values: { readonly [task: string]: number }): number =>
  Object.values(values).reduce((total, value) => total + value, 0);

/** The sub-task with the largest weight after many steps at the same rates of success. */
function heaviest(format: number, name: number, key: number, value: number): string {
  let state: CurriculumState = INITIAL_CURRICULUM;
  for (let step = 0; step < 200; step++) {
    state = nextCurriculum(state, evidenceOf(format, name, key, value), TDCL);
  }
  return SUB_TASKS.reduce((best, task) =>
    state.weights[task] > state.weights[best] ? task : best,
  );
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const mastery = fc.record({
  format: fc.option(share),
  name: fc.option(share),
  key: fc.option(share),
  value: fc.option(share),
});
const tally = fc
  .tuple(fc.nat(50), fc.nat(50))
  .map(([successes, failures]) => ({ successes, trials: successes + failures }));
const evidence = fc.record({ format: tally, name: tally, key: tally, value: tally });

describe('mastery', () => {
  it('starts at the first evidence and then moves by the rate', () => {
    const first = nextMastery(INITIAL_CURRICULUM.mastery, evidenceOf(80, 50, 25, 0), 0.05);
    expect(first).toEqual({ format: 0.8, name: 0.5, key: 0.25, value: 0 });
    const second = nextMastery(first, evidenceOf(100, 50, 25, 100), 0.05);
    expect(second.format).toBeCloseTo(0.95 * 0.8 + 0.05, 12);
    expect(second.name).toBeCloseTo(0.5, 12);
    expect(second.value).toBeCloseTo(0.05, 12);
  });

  it('stays as it was without a trial', () => {
    const before = { format: 0.4, name: null, key: 0.2, value: null };
    expect(nextMastery(before, { format: NONE, name: NONE, key: NONE, value: NONE }, 0.05)).toEqual(
      before,
    );
  });

  it('pools evidence', () => {
    const one = { conditional: { ...evidenceOf(1, 2, 3, 4), value: NONE } };
    const pooled = poolEvidence([one, one, { conditional: evidenceOf(1, 1, 1, 1) }]);
    expect(pooled.key).toEqual({ successes: 7, trials: 300 });
    expect(pooled.value).toEqual({ successes: 1, trials: 100 });
    expect(poolEvidence([]).format).toEqual(NONE);
  });

  it('stays in [0, 1]', () => {
    fc.assert(
      fc.property(mastery, evidence, share, (before, seen, rate) => {
        for (const p of Object.values(nextMastery(before, seen, rate))) {
          if (p !== null) expect(p).toBeGreaterThanOrEqual(0);
          if (p !== null) expect(p).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe('curriculum', () => {
  it('works out demand and targets by hand', () => {
    // σ((.5 − .5)/.1) = 1/2 and σ((.6 − .5)/.1) = 1/(1 + e^−1) = .7310585786.
    const got = demand({ format: 0.5, name: 0.6, key: 0.9, value: 0.2 });
    expect(got.format).toBeCloseTo(0.5, 12);
    expect(got.name).toBeCloseTo(0.4 * 0.5, 12);
    expect(got.key).toBeCloseTo(0.1 * 0.5 * 0.7310585786300049, 12);
    expect(got.value).toBeCloseTo(0.8 * 0.5 * 0.7310585786300049 * (1 / (1 + Math.exp(-4))), 12);
    const target = targetWeights({ format: 0, name: null, key: null, value: null });
    expect(target.format).toBeGreaterThan(2.45);
    expect(sum(target)).toBeCloseTo(4, 12);
  });

  it('asks for nothing once everything is mastered', () => {
    expect(targetWeights({ format: 1, name: 1, key: 1, value: 1 })).toEqual(UNIT_WEIGHTS);
  });

  it('moves a tenth of the way in one step', () => {
    const got = nextCurriculum(INITIAL_CURRICULUM, evidenceOf(50, 60, 90, 20), TDCL);
    const target = targetWeights({ format: 0.5, name: 0.6, key: 0.9, value: 0.2 });
    expect(got.version).toBe(1);
    for (const task of SUB_TASKS) {
      expect(got.weights[task]).toBeCloseTo(0.9 + 0.1 * target[task], 12);
    }
  });

  it('tracks mastery without a curriculum, and weighs nothing', () => {
    const got = nextCurriculum(INITIAL_CURRICULUM, evidenceOf(50, 60, 90, 20), {
      ...TDCL,
      curriculum: 'none',
    });
    expect(got.mastery.key).toBe(0.9);
    expect(got.weights).toEqual(UNIT_WEIGHTS);
  });

  it('walks from format to values as the one before is mastered', () => {
    expect(heaviest(10, 0, 0, 0)).toBe('format');
    expect(heaviest(99, 20, 0, 0)).toBe('name');
    expect(heaviest(99, 95, 30, 0)).toBe('key');
    expect(heaviest(99, 95, 95, 40)).toBe('value');
  });

  it('keeps mean 1 and every weight in [0.5, 2], however long one task is all there is', () => {
    let state: CurriculumState = INITIAL_CURRICULUM;
    for (let step = 0; step < 300; step++) {
      state = nextCurriculum(state, evidenceOf(0, 0, 0, 0), TDCL);
      expect(sum(state.weights)).toBeCloseTo(4, 12);
    }
    expect(state.weights.format).toBe(2);
    expect(Math.min(...Object.values(state.weights))).toBeGreaterThan(0.66);
    fc.assert(
      fc.property(fc.array(evidence, { minLength: 1, maxLength: 40 }), (seen) => {
        const end = seen.reduce<CurriculumState>(
          (from, one) => nextCurriculum(from, one, TDCL),
          INITIAL_CURRICULUM,
        );
        expect(end.version).toBe(seen.length);
        expect(sum(end.weights)).toBeCloseTo(4, 12);
        for (const weight of Object.values(end.weights)) {
          expect(weight).toBeGreaterThanOrEqual(0.5 - 1e-12);
          expect(weight).toBeLessThanOrEqual(2);
        }
      }),
    );
  });

  it('is deterministic and leaves its input alone', () => {
    fc.assert(
      fc.property(mastery, evidence, (before, seen) => {
        const state = Object.freeze({ version: 3, mastery: before, weights: UNIT_WEIGHTS });
        expect(nextCurriculum(state, seen, TDCL)).toEqual(nextCurriculum(state, seen, TDCL));
      }),
    );
  });
});
