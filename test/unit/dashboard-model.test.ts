import { describe, expect, it } from 'vitest';
import type { RunDetail, RunEvent, StepPoint } from '../../contracts/dashboard.ts';
import type { EvaluationStatus } from '../../contracts/run-status.ts';
import { categoryCounts } from '../../dashboard/model/category-counts.ts';
import { configGroups } from '../../dashboard/model/config-groups.ts';
import { csvText } from '../../dashboard/model/csv.ts';
import { brief, fixed, percent, span, whole } from '../../dashboard/model/number-text.ts';
import { hrefOf, routeOf, type Route } from '../../dashboard/model/route.ts';
import { runMarks } from '../../dashboard/model/run-marks.ts';
import { meanAt, seedBand } from '../../dashboard/model/seed-bands.ts';
import { thinned } from '../../dashboard/model/thinned.ts';
import { timeShares } from '../../dashboard/model/time-shares.ts';
import { verdict } from '../../dashboard/model/verdict.ts';
import { resolveConfig } from '../../services/configuration/resolve.ts';

function point(step: number, part: Partial<StepPoint> = {}): StepPoint {
  return {
    step,
    epoch: 1,
    committedAt: new Date(1e12 + step * 1000).toISOString(),
    reward: step / 10,
    rewardLow: 0,
    rewardHigh: 1,
    exactMatch: 0,
    exactMatchLow: 0,
    exactMatchHigh: 0,
    groups: 4,
    keptGroups: 4,
    rounds: 1,
    zeroVariance: 0.25,
    active: true,
    mastery: { format: 0.9, name: 0.8, key: 0.5 + step / 100, value: 0.7 },
    weights: { format: 0.5, name: 0.8, key: 1.5, value: 1.2 },
    entropy: 1,
    kl: null,
    clipLow: 0,
    clipHigh: 0,
    loss: 0,
    gradNorm: 1,
    learningRate: 1e-3,
    meanLength: 10,
    cutOff: 0,
    generatedTokens: 100,
    rolloutSeconds: 1,
    gradientSeconds: 1,
    wallSeconds: 2.5,
    moves: { new: 0, easy: 0, 'hard-live': 0, 'hard-dead': 0, plateau: 0, active: 0 },
    ...part,
  };
}

const points = (count: number): StepPoint[] =>
  Array.from({ length: count }, (_, i) => point(i + 1));

function event(kind: string, step: number | null, message: string, at = 0): RunEvent {
  return { kind, step, message, at: new Date(1e12 + at).toISOString() };
}

function evaluation(step: number, exactMatch: number): EvaluationStatus {
  return {
    epoch: 1,
    step,
    split: 'heldout',
    n: 100,
    exactMatch,
    exactMatchLow: exactMatch - 0.1,
    exactMatchHigh: exactMatch + 0.1,
    reward: 1,
    rewardLow: 0.5,
    rewardHigh: 1.5,
    scores: { format: 1, name: 1, key: 1, value: 1 },
    seconds: 3,
  };
}

function detail(evaluations: readonly EvaluationStatus[]): RunDetail {
  return {
    overview: {
      run: 'r',
      state: 'running',
      reason: null,
      requested: null,
      policy: 'builtin',
      data: 'builtin',
      sampler: 'dscl',
      curriculum: 'tdcl',
      seed: 1,
      step: 1,
      totalSteps: 10,
      generatedTokens: 1,
      startedAt: '',
      finishedAt: null,
      secondsLeft: null,
      rewards: [],
      heldOut: null,
    },
    config: resolveConfig({}),
    corpusSamples: 20,
    policyParameters: null,
    evaluations,
    settings: [],
    events: [],
    warmStartSeconds: 4,
  };
}

describe('marks', () => {
  it('tells a run that was lost from one that was stopped and resumed', () => {
    const events = [
      event('prepared', null, 'prepared', 0),
      event('resumed', 2, 'resumed after step 2', 1),
      event('stopped', 4, 'stopped after step 4', 2),
      event('resumed', 4, 'resumed after step 4', 3),
      event('request', 5, 'pause asked for by ada after step 5', 4),
      event('paused', 5, 'paused after step 5', 5),
      event('running', 5, 'running after step 5', 6),
      event('resumed', 6, 'resumed after step 6', 8),
    ];
    expect(
      runMarks({ events, settings: [] }, points(8)).map(({ number, step, kind }) => [
        number,
        step,
        kind,
      ]),
    ).toEqual([
      [1, 2, 'lost'],
      [2, 4, 'stopped'],
      [3, 4, 'resumed'],
      [4, 5, 'paused'],
      [5, 5, 'resumed'],
      [6, 6, 'lost'],
    ]);
  });

  it('marks a step that stood still, unless an event says why', () => {
    const steps = points(8).map((each) =>
      each.step === 3 || each.step === 6 ? { ...each, wallSeconds: 20 } : each,
    );
    const marks = runMarks(
      { events: [event('paused', 5, 'paused after step 5')], settings: [] },
      steps,
    );
    expect(marks.map(({ step, kind }) => [step, kind])).toEqual([
      [2, 'lost'],
      [5, 'paused'],
    ]);
    expect(marks[0]?.text).toContain('stood still for 18 s in step 3');
    // Steps that all take long are no news.
    expect(
      runMarks(
        { events: [], settings: [] },
        points(8).map((each) => ({ ...each, wallSeconds: 20 })),
      ),
    ).toEqual([]);
  });
});

it('marks changed settings with what they were and are', () => {
  const settings = [{ key: 'learningRate', from: 4e-4, to: 1e-4, fromStep: 7 }];
  expect(runMarks({ events: [], settings }, points(8))).toEqual([
    {
      number: 1,
      step: 6,
      at: null,
      kind: 'changed',
      text: 'learningRate 0.0004 → 0.0001 from step 7 on',
    },
  ]);
});

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

describe('bands over seeds', () => {
  it('are mean and Student interval, between points straight, as far as all reach', () => {
    const band = seedBand(
      [
        [
          { x: 0, y: 0 },
          { x: 100, y: 10 },
        ],
        [
          { x: 0, y: 2 },
          { x: 50, y: 8 },
          { x: 200, y: 8 },
        ],
      ],
      3,
    );
    expect(band.map(({ x, y }) => [x, y])).toEqual([
      [0, 1],
      [50, 6.5],
      [100, 9],
    ]);
    // Two values 2 apart: standard error 1, and 12.706 of them.
    expect(band[0]?.high).toBeCloseTo(1 + 12.706, 3);
  });

  it.each([
    [2, 12.7062],
    [3, 4.3027],
    [11, 2.2281],
    [12, 2.201],
    [31, 2.0423],
    [32, 2.0395],
    [61, 2.0003],
    [1001, 1.9623],
  ])('of %i seeds are %f standard errors to each side', (n, quantile) => {
    const values = Array.from({ length: n }, (_, index) => index);
    const error = Math.sqrt((n * (n + 1)) / 12 / n);
    const { y, low, high } = meanAt(0, values);
    expect(((high ?? 0) - y) / error).toBeCloseTo(quantile, 4);
    expect((y - (low ?? 0)) / error).toBeCloseTo(quantile, 4);
  });

  it('give no interval for one seed', () => {
    expect(seedBand([[{ x: 1, y: 2 }]])).toEqual([{ x: 1, y: 2, low: null, high: null, n: 1 }]);
    expect(meanAt(0, [3])).toMatchObject({ y: 3, low: null });
    expect(seedBand([[], []])).toEqual([]);
  });
});

describe('configurations', () => {
  it('put seeds together and tell the rest apart', () => {
    const { groups, differences } = configGroups([
      { run: 'a', config: resolveConfig({ seed: 1 }) },
      { run: 'b', config: resolveConfig({ sampler: 'uniform', seed: 1 }) },
      { run: 'c', config: resolveConfig({ threads: 1, seed: 2 }) },
    ]);
    expect(groups).toEqual([
      { label: 'sampler dscl', runs: ['a', 'c'] },
      { label: 'sampler uniform', runs: ['b'] },
    ]);
    // The one follows from the other, but for those who look closely it is a difference.
    expect(differences.map(({ key }) => key)).toEqual(['sampler', 'filterGroups', 'oversample']);
    expect(differences[0]?.values).toEqual(['"dscl"', '"uniform"']);
    expect(configGroups([{ run: 'a', config: resolveConfig({ seed: 1 }) }]).groups[0]?.label).toBe(
      'a',
    );
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
