import { describe, expect, it } from 'vitest';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { SettingChange } from '../../contracts/requests.ts';
import { COMPARE_METRICS } from '../../dashboard/model/compare-metrics.ts';
import { configGroups, type Configured } from '../../dashboard/model/config-groups.ts';
import { meanAt, seedBand } from '../../dashboard/model/seed-bands.ts';
import { lineStyle } from '../../dashboard/pages/charts/palette.ts';
import { resolveConfig } from '../../services/configuration/resolve.ts';

/** A run of twelve steps, with what was changed under way. */
function run(
  name: string,
  config: RunConfigInput,
  rest: { settings?: SettingChange[]; forkOf?: string } = {},
): Configured {
  return {
    overview: { run: name, seed: resolveConfig(config).seed, step: 12 },
    config: resolveConfig(config),
    settings: rest.settings ?? [],
    forkOf: rest.forkOf === undefined ? null : { run: rest.forkOf, step: 6, epoch: 1 },
  };
}

function slower(fromStep: number): SettingChange {
  return { key: 'learningRate', from: 4e-4, to: 1e-4, fromStep };
}

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
      run('a', { seed: 1 }),
      run('b', { sampler: 'uniform', seed: 1 }),
      run('c', { threads: 1, seed: 2 }),
    ]);
    expect(groups).toEqual([
      { label: 'sampler dscl', runs: ['a', 'c'], independent: true },
      { label: 'sampler uniform', runs: ['b'], independent: true },
    ]);
    // The one follows from the other, but for those who look closely it is a difference.
    expect(differences.map(({ key }) => key)).toEqual(['sampler', 'filterGroups', 'oversample']);
    expect(differences[0]?.values).toEqual(['"dscl"', '"uniform"']);
    expect(configGroups([run('a', { seed: 1 })]).groups[0]?.label).toBe('a');
  });

  it('are others once a setting was changed under way or by a fork', () => {
    const learningRate = 4e-4;
    const { groups, differences } = configGroups([
      run('a', { seed: 1, learningRate }),
      run('b', { seed: 2, learningRate }),
      run('changed', { seed: 3, learningRate }, { settings: [slower(7)] }),
      run('later', { seed: 4, learningRate }, { settings: [slower(9)] }),
      run('fork', { seed: 1, learningRate }, { settings: [slower(7)], forkOf: 'a' }),
    ]);
    expect(groups.map(({ runs }) => runs)).toEqual([['a', 'b'], ['changed', 'fork'], ['later']]);
    expect(groups[1]?.label).toBe('learningRate 0.0004 → 0.0001 from step 7');
    expect(differences).toEqual([
      {
        key: 'learningRate',
        values: ['0.0004', '0.0004 → 0.0001 from step 7', '0.0004 → 0.0001 from step 9'],
      },
    ]);
  });

  it('stay the same where a change has changed nothing', () => {
    const back = { key: 'learningRate', from: 1e-4, to: 4e-4, fromStep: 7 };
    const kept = { key: 'saveTotalLimit', from: 2, to: 5, fromStep: 3 };
    const config = { learningRate: 4e-4 };
    expect(
      configGroups([
        run('a', { ...config, seed: 1 }),
        run('taken back', { ...config, seed: 2 }, { settings: [slower(7), back] }),
        run('not yet', { ...config, seed: 3 }, { settings: [slower(13)] }),
        run('as it was', { ...config, seed: 4 }, { settings: [{ ...back, from: 4e-4 }] }),
        run('kept more', { ...config, seed: 5 }, { settings: [kept] }),
      ]).groups.map(({ runs }) => runs.length),
    ).toEqual([5]);
  });

  it('count a seed once: a repetition, or a fork beside its parent, is a line of its own', () => {
    const { groups, differences } = configGroups([
      run('fork', { seed: 1 }, { forkOf: 'a' }),
      run('a', { seed: 1 }),
      run('b', { seed: 2 }),
      run('b again', { seed: 2 }),
    ]);
    expect(groups).toEqual([
      { label: 'a', runs: ['a', 'b'], independent: true },
      { label: 'b again (seed 2 again)', runs: ['b again'], independent: false },
      { label: 'fork (fork of a)', runs: ['fork'], independent: false },
    ]);
    expect(differences).toEqual([]);
    const apart = configGroups([
      run('a', { seed: 1 }),
      run('a again', { seed: 1 }),
      run('u', { seed: 1, sampler: 'uniform' }),
    ]);
    expect(apart.groups.map(({ label }) => label)).toEqual([
      'sampler dscl',
      'sampler dscl, a again (seed 1 again)',
      'sampler uniform',
    ]);
    // A value for every group, so that each has its column.
    expect(apart.differences[0]?.values).toEqual(['"dscl"', '"dscl"', '"uniform"']);
  });
});

it('draws three dozen lines so that colour and dash together tell them apart', () => {
  const styles = Array.from({ length: 36 }, (_, index) => lineStyle(index));
  expect(new Set(styles.map(({ colour, dash }) => `${colour} ${dash}`)).size).toBe(36);
  expect(new Set(styles.slice(0, 6).map(({ colour }) => colour)).size).toBe(6);
  // Neighbours do not share a dash either.
  for (const [index, { dash }] of styles.entries())
    expect(dash).not.toBe(styles[index + 1]?.dash ?? null);
});

it('tells rewards by two digits, which differ by less than a tenth', () => {
  const digits = COMPARE_METRICS.filter(({ name }) => name.startsWith('reward'));
  expect(digits.map((metric) => metric.digits)).toEqual([2, 2]);
});
