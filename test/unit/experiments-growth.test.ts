import { describe, expect, it } from 'vitest';
import { planGrowth } from '../../services/experiments/growth.ts';
import { configOfRun, planExperiment } from '../../services/experiments/plan.ts';

const plan = (asked: object) => planExperiment('night', { tokens: 100_000, ...asked });
const configOf = (found: ReturnType<typeof plan>, arm: string) =>
  configOfRun(found, found.runs.find((each) => each.arm === arm)?.run ?? '');
const armsOf = (found: ReturnType<typeof plan>) => found.arms.map(({ arm }) => arm);
const grown = ({ asked: known }: ReturnType<typeof plan>, asked: object) =>
  planGrowth('night', known, { ...known, ...asked });

describe('an experiment that grows', () => {
  it('goes on as it is, with more runs at a time, or with more arms and seeds', () => {
    const known = plan({ samplers: ['uniform', 'dscl'], curricula: ['none'], firstSeed: 2 });
    const adds = (asked: object) => grown(known, asked).grows;
    expect(adds({})).toBe(false);
    expect(adds({ parallel: 4 })).toBe(false);
    expect(adds({ seeds: 6 })).toBe(true);
    expect(adds({ firstSeed: 1, seeds: 6 })).toBe(true);
    expect(adds({ samplers: ['vcrl', 'dscl', 'uniform'], tuned: { vcrl: { beta: 0.1 } } })).toBe(
      true,
    );
    expect(adds({ curricula: ['none', 'tdcl'] })).toBe(true);
    expect(adds({ without: ['staleness'] })).toBe(true);
  });

  it.each([
    { tokens: 5 },
    { protocol: 'fixed-batch' },
    { corpus: 'small' },
    { config: { beta: 0.1 } },
    { tuned: { dscl: { beta: 0.1 } } },
    { samplers: ['uniform', 'vcrl'] },
    { seeds: 4 },
    { firstSeed: 3 },
  ])('does not go on with what has other runs, or fewer: %j', (asked) => {
    const known = plan({ samplers: ['uniform', 'dscl'], curricula: ['none'], firstSeed: 2 });
    expect(() => grown(known, asked)).toThrow(
      /^experiment "night" compares something else: its run "night\.(uniform|dscl)\.[26]" is not/,
    );
  });

  it.each([
    [['none'], ['none', 'tdcl'], 'dscl without staleness'],
    [['tdcl'], ['tdcl', 'none'], 'dscl + tdcl without staleness'],
  ])('keeps the curriculum of DSCL without a part: %j, then %j', (curricula, more, ablated) => {
    const known = plan({ samplers: ['dscl'], curricula, without: ['staleness'] });
    expect(armsOf(known)).toContain(ablated);
    const { plan: next, grows } = grown(known, { curricula: more });
    expect(grows).toBe(true);
    expect(armsOf(next).sort()).toEqual(['dscl', 'dscl + tdcl', ablated].sort());
    expect(configOf(next, ablated)).toEqual(configOf(known, ablated));
    // What is stored spells out the same runs; the same command adds none.
    expect(plan(next.asked).runs).toEqual(next.runs);
    expect(grown(next, { curricula: more })).toMatchObject({ grows: false, plan: next });
  });

  it('has the last of the curricula for the first part that DSCL does without', () => {
    const known = plan({ samplers: ['dscl'], curricula: ['none'], without: ['curriculum'] });
    const next = grown(known, { curricula: ['none', 'tdcl'], without: ['curriculum', 'mean'] });
    expect(armsOf(next.plan)).toEqual(['dscl', 'dscl + tdcl', 'dscl + tdcl without mean']);
  });

  it('keeps dapo where the batch is fixed, and runs no uniform beside it', () => {
    const asked = { protocol: 'fixed-batch', curricula: ['none'] };
    const known = plan({ ...asked, samplers: ['dapo', 'dscl'] });
    const { plan: next, grows } = grown(known, { samplers: ['uniform', 'dapo', 'vcrl', 'dscl'] });
    expect(grows).toBe(true);
    expect(armsOf(next)).toEqual(['dapo', 'vcrl', 'dscl']);
    expect(next.notes).toEqual([
      'uniform is not run: with a fixed batch, dapo is the same, and has its runs',
    ]);
    expect(grown(known, { samplers: ['dapo', 'dscl', 'uniform'] }).grows).toBe(false);
    expect(() => grown(known, { samplers: ['uniform', 'dscl'] })).toThrow('night.dapo.1');
    // Where uniform is what is run, it stays.
    const uniform = plan({ ...asked, samplers: ['dapo', 'uniform'] });
    expect(armsOf(grown(uniform, { samplers: ['dapo', 'uniform', 'dscl'] }).plan)).toEqual([
      'uniform',
      'dscl',
    ]);
  });
});
