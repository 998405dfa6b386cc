import { describe, expect, it } from 'vitest';
import { MOST_SAMPLES } from '../../contracts/dashboard.ts';
import { categoryCounts } from '../../dashboard/model/category-counts.ts';
import { csvText } from '../../dashboard/model/csv.ts';
import { extent } from '../../dashboard/model/extent.ts';
import { brief, fixed, percent, span, whole } from '../../dashboard/model/number-text.ts';
import { hrefOf, routeOf, type Route } from '../../dashboard/model/route.ts';
import { canShowMore } from '../../dashboard/model/sample-order.ts';
import { thinned } from '../../dashboard/model/thinned.ts';
import { timeShares } from '../../dashboard/model/time-shares.ts';
import { verdict } from '../../dashboard/model/verdict.ts';
import { detail, evaluation, point, points } from './support/run-points.ts';

describe('a verdict', () => {
  it('says better only when the intervals have parted', () => {
    expect(verdict(detail([evaluation(0, 0.4), evaluation(4, 0.55)]), points(4)).learning).toBe(
      'unclear',
    );
    expect(verdict(detail([evaluation(0, 0.4), evaluation(4, 0.7)]), points(4)).learning).toBe(
      'better',
    );
    expect(verdict(detail([evaluation(0, 0.7), evaluation(4, 0.4)]), points(4)).learning).toBe(
      'worse',
    );
    expect(verdict(detail([evaluation(0, 0.7)]), []).learning).toBeNull();
    expect(verdict(detail([], { heldOut: [] }), points(4)).learning).toBe('unmeasured');
  });

  it('names the sub-task that is stuck, what it gets, and what still teaches', () => {
    const steps = points(16).map((each) =>
      each.step === 1 ? { ...each, moves: { ...each.moves, new: -4, easy: 3, active: 1 } } : each,
    );
    const found = verdict(detail([]), steps);
    expect(found.stuck).toMatchObject({ task: 'key', weight: 1.5 });
    expect(found.stuck?.change).toBeCloseTo(0.08, 9);
    expect(found.reward?.now).toBeCloseTo(1.25, 9);
    expect(found.reward?.before).toBeCloseTo(0.45, 9);
    expect(found.teaching).toEqual({ samples: 17, of: 20 });
  });
});

it('counts categories from the moves between them', () => {
  const steps = [
    point(1, { moves: { ...point(1).moves, new: -3, active: 3 } }),
    point(2, { moves: { ...point(2).moves, active: -1, easy: 1 } }),
  ];
  expect(categoryCounts(steps, 5)).toMatchObject([
    { step: 0, new: 5, active: 0 },
    { step: 1, new: 2, active: 3 },
    { step: 2, new: 2, active: 2, easy: 1 },
  ]);
});

it('shares the time out among what a run does', () => {
  const shares = timeShares(detail([evaluation(0, 0.5)]), points(2));
  expect(Object.fromEntries(shares.map(({ part, seconds }) => [part, seconds]))).toEqual({
    'cold start': 4,
    rollouts: 2,
    'gradient steps': 2,
    evaluation: 3,
    'rest of steps': 1,
  });
  expect(shares.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
});

it('averages a line that is longer than a screen is wide', () => {
  const line = Array.from({ length: 10 }, (_, x) => ({ x, y: 2 * x, low: x % 2 === 0 ? x : null }));
  expect(thinned(line, 10)).toBe(line);
  expect(thinned(line, 5)[0]).toEqual({ x: 0.5, y: 1, low: 0, high: null });
  expect(thinned(line, 4)).toHaveLength(4);
});

it('writes CSV that spreadsheets read, and never a formula of a model', () => {
  expect(
    csvText([
      { a: 'x', b: 1 },
      { a: 'say "hi", twice\n', c: null },
      { a: '=cmd|calc', b: -2.5 },
    ]),
  ).toBe('a,b,c\r\nx,1,\r\n"say ""hi"", twice\n",,\r\n\'=cmd|calc,-2.5,\r\n');
});

it('finds the extent of more values than a call has room for', () => {
  expect(extent(Array.from({ length: 500_000 }, (_, index) => index - 7))).toEqual([-7, 499_992]);
  expect(extent([0.5], [0, 1])).toEqual([0, 1]);
});

it('offers more samples for as long as there are more that a page can have', () => {
  expect([canShowMore(100, 101), canShowMore(100, 100)]).toEqual([true, false]);
  expect(canShowMore(MOST_SAMPLES - 100, 3 * MOST_SAMPLES)).toBe(true);
  expect(canShowMore(MOST_SAMPLES + 100, 3 * MOST_SAMPLES)).toBe(false);
});

it('writes numbers as people read them', () => {
  expect([fixed(-1.5, 1), fixed(null, 2), fixed(Number.NaN, 2)]).toEqual(['−1.5', '–', '–']);
  expect([whole(12345.6), brief(999), brief(1400), brief(205_071), brief(1_450_000)]).toEqual([
    '12,346',
    '999',
    '1.4k',
    '205k',
    '1.4M',
  ]);
  expect([span(9.64), span(59.4), span(168), span(3_599), span(11_100), span(187_200)]).toEqual([
    '9.6 s',
    '59 s',
    '2 min 48 s',
    '59 min 59 s',
    '3 h 05 min',
    '2 d 4 h',
  ]);
  expect(percent(0.4567)).toBe('45.7%');
});

describe('addresses', () => {
  it.each<Route>([
    { page: 'runs' },
    { page: 'run', run: 'a run/of mine#1' },
    { page: 'samples', run: 'r' },
    { page: 'sample', run: 'r', sample: 'a/b?c' },
    { page: 'rollouts', run: 'r', step: null, rank: null },
    { page: 'rollouts', run: 'r', step: 3, rank: null },
    { page: 'rollouts', run: 'r', step: 3, rank: 0 },
    { page: 'compare', runs: [] },
    { page: 'compare', runs: ['a/b', 'c', 'd'] },
  ])('lead back to their page: %j', (route) => {
    expect(routeOf(hrefOf(route))).toEqual(route);
  });

  it.each(['', '#', '#/nothing/x', '#/%E0%A4%A', '#/runs'])(
    'that name nothing show the runs: %s',
    (hash) => {
      expect(routeOf(hash)).toEqual({ page: 'runs' });
    },
  );
});
