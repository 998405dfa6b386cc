import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gumbelNoise } from '../../dscl/seeded-draw.ts';
import { chances, pickByImportance, pickShuffled } from '../../dscl/selection.ts';
import type { Candidate } from '../../dscl/selection.ts';

const OPTIONS = { uniformShare: 0.1, temperature: 1 };
const importances = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
  minLength: 1,
  maxLength: 60,
});
const named = (probabilities: readonly number[]): Candidate[] =>
  probabilities.map((probability, i) => ({ id: `sample-${i}`, probability }));

describe('chances', () => {
  it('works out by hand', () => {
    expect(chances([1, 3], OPTIONS).probabilities).toEqual([
      expect.closeTo(0.9 / 4 + 0.05, 12),
      expect.closeTo((0.9 * 3) / 4 + 0.05, 12),
    ]);
    const sharper = chances([1, 3], { uniformShare: 0, temperature: 0.5 }).probabilities;
    expect(sharper[1]).toBeCloseTo(0.9, 12);
  });

  it('sum to 1, give every sample at least ε/N, and keep the order of importances', () => {
    fc.assert(
      fc.property(
        importances,
        fc.double({ min: 0.2, max: 5, noNaN: true }),
        (given, temperature) => {
          const { probabilities } = chances(given, { uniformShare: 0.1, temperature });
          expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
          for (const [i, p] of probabilities.entries()) {
            expect(p).toBeGreaterThanOrEqual((0.1 / given.length) * (1 - 1e-12));
            for (const [j, q] of probabilities.entries()) {
              if ((given[i] as number) > (given[j] as number)) expect(p).toBeGreaterThanOrEqual(q);
            }
          }
        },
      ),
    );
  });

  it('are uniform once all is mastered', () => {
    expect(chances([0, 0, 0, 0], OPTIONS)).toEqual({
      probabilities: [0.25, 0.25, 0.25, 0.25],
      allMastered: true,
    });
    expect(chances([0, 1e-9], OPTIONS).allMastered).toBe(false);
  });
});

describe('the draw', () => {
  it('is the one that SQL computes: u from the first 13 hexadecimal digits of an MD5', () => {
    const digits = createHash('md5').update('7:12:builtin-000017').digest('hex').slice(0, 13);
    const u = (Number(BigInt(`0x${digits}`)) + 0.5) / 4503599627370496;
    expect(gumbelNoise(7, 12, 'builtin-000017')).toBe(-Math.log(-Math.log(u)));
  });

  it('has the mean and variance of a Gumbel distribution', () => {
    const noise = Array.from({ length: 20_000 }, (_, i) => gumbelNoise(1, i, 'x'));
    const mean = noise.reduce((a, b) => a + b, 0) / noise.length;
    const variance = noise.reduce((a, b) => a + (b - mean) ** 2, 0) / noise.length;
    expect(mean).toBeCloseTo(0.5772, 1);
    expect(Math.abs(variance - Math.PI ** 2 / 6)).toBeLessThan(0.06);
  });
});

describe('pickByImportance', () => {
  it('picks without replacement, the same again, and more of the same for a larger count', () => {
    fc.assert(
      fc.property(importances, fc.nat(), fc.nat(), fc.nat(70), (given, runSeed, step, count) => {
        const candidates = named(chances(given, OPTIONS).probabilities);
        const batch = pickByImportance(candidates, { runSeed, step, count });
        expect(batch.length).toBe(Math.min(count, given.length));
        expect(new Set(batch).size).toBe(batch.length);
        const turned = pickByImportance(candidates.toReversed(), { runSeed, step, count });
        expect(turned).toEqual(batch);
        const longer = pickByImportance(candidates, { runSeed, step, count: count + 5 });
        expect(longer.slice(0, batch.length)).toEqual(batch);
      }),
    );
  });

  it('draws with the frequencies of successive draws without replacement', () => {
    const p = [0.5, 0.3, 0.15, 0.05];
    const steps = 20_000;
    const first = p.map(() => 0);
    const among = p.map(() => 0);
    for (let step = 0; step < steps; step++) {
      const batch = pickByImportance(named(p), { runSeed: 3, step, count: 2 });
      for (const [place, id] of batch.entries()) {
        const i = Number(id.replace('sample-', ''));
        if (place === 0) first[i] = (first[i] as number) + 1;
        among[i] = (among[i] as number) + 1;
      }
    }
    for (const [i, chance] of p.entries()) {
      // In the first draw, or in the second after any other.
      const expected = p.reduce(
        (total, other, j) => total + (j === i ? 0 : (other * chance) / (1 - other)),
        chance,
      );
      expect(Math.abs((first[i] as number) / steps - chance)).toBeLessThan(0.012);
      expect(Math.abs((among[i] as number) / steps - expected)).toBeLessThan(0.012);
    }
  });

  it('never picks what has no chance before what has one', () => {
    const candidates = [...named([0, 0]), { id: 'only', probability: 1 }];
    expect(pickByImportance(candidates, { runSeed: 1, step: 1, count: 1 })).toEqual(['only']);
  });
});

describe('pickShuffled', () => {
  const ids = Array.from({ length: 20 }, (_, i) => `s${i}`);

  it('goes through the corpus once an epoch and starts over at its end', () => {
    const order = { runSeed: 5, epoch: 1 };
    const steps = [0, 6, 12, 18].map((offset) => pickShuffled(ids, { ...order, offset, count: 6 }));
    expect(new Set(steps.flat().slice(0, 20)).size).toBe(20);
    expect(steps[3]?.slice(2)).toEqual(steps[0]?.slice(0, 4));
    expect(pickShuffled(ids.toReversed(), { ...order, offset: 0, count: 6 })).toEqual(steps[0]);
  });

  it('differs between epochs and seeds', () => {
    const orders = [
      { runSeed: 1, epoch: 1 },
      { runSeed: 1, epoch: 2 },
      { runSeed: 2, epoch: 1 },
      { runSeed: 11, epoch: 1 },
    ].map((order) => pickShuffled(ids, { ...order, offset: 0, count: 20 }).join());
    expect(new Set(orders).size).toBe(4);
  });
});
