import { describe, expect, it } from 'vitest';
import type { ExperimentRunResult } from '../../contracts/experiment.ts';
import { compareArms, meanUpTo, tokensTo } from '../../experiments/compare-arms.ts';
import { comparisonSvg } from '../../experiments/comparison-svg.ts';
import { comparisonMarkdown, comparisonTable } from '../../experiments/comparison-table.ts';

/** Rewards at 0, 1000, 2000, … generated tokens. */
function result(arm: string, seed: number, rewards: readonly number[]): ExperimentRunResult {
  return {
    run: `x.${arm}.${seed}`,
    arm,
    seed,
    steps: 10 + seed,
    generatedTokens: 1000 * (rewards.length - 1),
    zeroVariance: 0.25,
    curve: rewards.map((reward, i) => ({ tokens: 1000 * i, reward, exactMatch: reward / 4 })),
  };
}

const RESULTS = [
  result('uniform', 1, [1, 2, 3]),
  result('dscl', 1, [1, 3, 3.5]),
  result('uniform', 2, [1, 1.5, 2]),
  result('dscl', 2, [1, 2, 2.4]),
  result('uniform', 3, [1, 2, 3]),
  result('dscl', 3, [1, 2, 2.9]),
  // Its pair has not been made yet.
  result('dscl', 4, [1, 2, 4]),
];

describe('tokens to a reward', () => {
  const curve = result('a', 1, [1, 2, 1.5, 3]).curve;
  it.each([
    [0.5, 0],
    [1.5, 500],
    [2, 1000],
    [2.25, 2500],
    [3, 3000],
    [3.1, null],
  ])('%d is first reached after %d', (goal, tokens) => {
    expect(tokensTo(goal, curve)).toBe(tokens);
  });
});

describe('the mean reward on the way', () => {
  const curve = result('a', 1, [1, 2, 1.5, 3]).curve;
  it.each([
    [0, 1],
    [500, 1.25],
    [1000, 1.5],
    [2000, 1.625],
    [2500, (1.5 + 1.75 + 0.5 * 1.875) / 2.5],
    [3000, (1.5 + 1.75 + 2.25) / 3],
  ])('up to %d tokens is %d', (tokens, mean) => {
    expect(meanUpTo(tokens, curve)).toBeCloseTo(mean, 12);
  });
});

describe('arms compared', () => {
  const compared = compareArms(['uniform', 'dscl', 'vcrl'], 'uniform', RESULTS);
  const dscl = compared.find(({ arm }) => arm === 'dscl');

  it('counts completed runs only, and says nothing of an arm without one', () => {
    expect(compared.map(({ arm, seeds }) => [arm, seeds])).toEqual([
      ['uniform', [1, 2, 3]],
      ['dscl', [1, 2, 3, 4]],
    ]);
  });

  it('pairs by seed, with intervals by Student’s t', () => {
    // Differences .5, .4, −.1: mean .2667, standard deviation .3215, t(2) = 4.303.
    const { mean, low, high, n } = dscl?.paired?.reward ?? { mean: 0, low: 0, high: 0, n: 0 };
    expect(n).toBe(3);
    expect(mean).toBeCloseTo(0.26667, 5);
    expect((high ?? 0) - mean).toBeCloseTo((4.303 * 0.32146) / Math.sqrt(3), 3);
    expect(mean - (low ?? 0)).toBeCloseTo((high ?? 0) - mean, 9);
    // Areas: 2 and 2.625, 1.5 and 1.85, 2 and 1.975.
    expect(dscl?.paired?.onTheWay.mean).toBeCloseTo((0.625 + 0.35 - 0.025) / 3, 12);
  });

  it('counts a seed that never came to the baseline’s end with all of its tokens', () => {
    // Seed 1 is there at 1000, seed 2 at 1000, seed 3 never.
    expect(dscl?.tokensToBaseline.mean).toBeCloseTo((1000 + 1000 + 2000) / 3, 9);
    expect(dscl?.reached).toBe(2);
    expect(dscl?.paired?.tokensSaved.mean).toBeCloseTo((0.5 + 0.5 + 0) / 3, 9);
    expect(compared[0]).toMatchObject({ reached: 3, paired: null });
  });

  it('saves nothing where the baseline ends no better than it began', () => {
    const both = compareArms(['uniform', 'dscl'], 'uniform', [
      ...RESULTS,
      result('uniform', 5, [3, 2.5, 2.8]),
      result('dscl', 5, [3, 2.5, 2.8]),
    ]);
    const { paired } = both[1] ?? {};
    expect(paired?.reward.n).toBe(4);
    expect(paired?.tokensSaved).toEqual(dscl?.paired?.tokensSaved);
  });

  it('has no interval of a single seed', () => {
    const [only] = compareArms(['uniform'], 'uniform', RESULTS.slice(0, 1));
    expect(only?.reward).toEqual({ mean: 3, low: null, high: null, n: 1 });
  });
});

describe('the table', () => {
  const table = comparisonTable(compareArms(['uniform', 'dscl'], 'uniform', RESULTS));

  it('says how good, how soon and how sure', () => {
    expect(table.rows[0]?.slice(0, 3)).toEqual(['uniform', '3', '2.667 ± 1.434']);
    expect(table.rows[1]?.slice(4)).toEqual([
      '+0.267 ± 0.799',
      '+0.317 ± 0.811',
      '≥ 1.3k ± 1.4k',
      '2/3',
      '33.3% ± 71.7%',
      '25.0%',
      '13',
    ]);
  });

  it('is a table in markdown, too', () => {
    const lines = comparisonMarkdown(table, ['dscl has its own settings']).split('\n');
    expect(lines).toContain('- dscl has its own settings');
    expect(lines[1]).toMatch(/^\| --- \|( --: \|)+$/);
    for (const line of lines.slice(0, 4))
      expect(line.split('|')).toHaveLength(table.header.length + 2);
  });
});

describe('the picture', () => {
  it('has a band for each arm that has completed runs, and is the same every time', () => {
    const picture = comparisonSvg('x', ['uniform', 'dscl', 'vcrl'], RESULTS);
    expect(picture.match(/<polygon/g)).toHaveLength(4);
    expect(picture).toContain('>dscl</text>');
    expect(picture).not.toContain('vcrl');
    expect(picture).not.toContain('NaN');
    expect(comparisonSvg('x', ['uniform', 'dscl', 'vcrl'], RESULTS)).toBe(picture);
  });

  it('draws no two arms alike, and a sampler with a curriculum in its own colour', () => {
    const samplers = ['uniform', 'dapo', 'vcrl', 'difficulty', 'dscl'];
    const parts = ['mean', 'variance', 'staleness', 'activation'];
    const arms = [
      ...samplers.flatMap((sampler) => [sampler, `${sampler} + tdcl`]),
      ...parts.map((part) => `dscl + tdcl without ${part}`),
    ];
    const [first] = RESULTS;
    const picture = comparisonSvg(
      'x',
      arms,
      arms.map((arm) => ({ ...first!, arm })),
    );
    const styles = [...picture.matchAll(/<polyline [^>]* stroke="([^"]+)"([^>]*)\/>/g)].map(
      ([, colour, rest]) => ({ colour, rest }),
    );
    expect(styles).toHaveLength(2 * arms.length);
    const drawn = new Set(styles.map((style) => JSON.stringify(style)));
    expect(drawn.size).toBe(arms.length);
    for (const i of samplers.keys()) expect(styles[2 * i]?.colour).toBe(styles[2 * i + 1]?.colour);
  });
});
