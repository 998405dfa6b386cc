import { describe, expect, it } from 'vitest';
import { SMOLLM2_135M } from '../../bench/smollm2-shape.ts';
import { admit, countStep, createAdmission } from '../../policy/generation/admission.ts';
import { planGrid } from '../../policy/generation/row-grid.ts';
import { keyValueBytes, matrixPlace } from '../../policy/generation/generation-costs.ts';
import { fits, promptGroups, type PromptGroup } from '../../policy/generation/prompt-groups.ts';
import { TINY } from './support/tiny-policy.ts';

const { traits } = TINY;
/** Room for four rows and so many tokens of keys and values. */
const tokens = (count: number) => ({
  rows: 4,
  cacheBytes: count * keyValueBytes(SMOLLM2_135M),
});

/** Groups of one request: prompts of these lengths with so many completions each. */
function groupsOf(
  lengths: readonly number[],
  completions: number,
  limit: number,
  budget = { rows: 8, cacheBytes: 2 ** 30 },
): PromptGroup[] {
  const prompts = lengths.map((length, i) => ({
    ids: Array.from({ length }, () => 8),
    seeds: Array.from({ length: completions }, (_, index) => 100 * i + index),
  }));
  return promptGroups({ traits: SMOLLM2_135M, contextLength: 512 }, prompts, limit, budget);
}

function finish(groups: readonly PromptGroup[], count: number): void {
  const open = groups.flatMap(({ rows }) => rows).filter((row) => !row.finished);
  for (const row of open.slice(0, count)) row.finished = true;
}

const BUDGET = { rows: 8, cacheBytes: 2 ** 30 };
const admission = (groups: readonly PromptGroup[]) =>
  createAdmission({ traits: SMOLLM2_135M, place: 'fed', groups, budget: BUDGET });

describe('prompt groups', () => {
  it('begin by length of prompt and are cut only where the budget cuts them', () => {
    const groups = groupsOf([9, 3, 9, 5], 3, 40);
    expect(groups.map(({ rows }) => rows[0]!.prompt)).toEqual([1, 3, 0, 2]);
    expect(groupsOf([9], 20, 40).map(({ rows }) => rows.length)).toEqual([8, 8, 4]);
    const bytes = (9 + 3 * 40) * keyValueBytes(SMOLLM2_135M);
    const narrow = groupsOf([9], 7, 40, { rows: 8, cacheBytes: bytes });
    expect(narrow.map(({ rows }) => rows.map((row) => row.index))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6],
    ]);
    // A row that is larger than the budget is computed alone.
    const alone = groupsOf([9], 2, 40, { rows: 8, cacheBytes: 1 });
    expect(alone.map(({ rows }) => rows.length)).toEqual([1, 1]);
  });

  it('have limits that end with the context', () => {
    expect(groupsOf([500], 1, 40)[0]!.rows[0]!.limit).toBe(12);
  });

  it('fit together while rows and padded keys and values do', () => {
    const short = { promptLength: 10, rows: 2, limit: 20 };
    const long = { promptLength: 100, rows: 2, limit: 20 };
    expect(fits(SMOLLM2_135M, [short, short], tokens(2 * 10 + 4 * 20))).toBe(true);
    expect(fits(SMOLLM2_135M, [short, short], tokens(2 * 10 + 4 * 20 - 1))).toBe(false);
    expect(fits(SMOLLM2_135M, [short, long], tokens(2 * 100 + 4 * 20 - 1))).toBe(false);
    expect(fits(SMOLLM2_135M, [short, long], tokens(2 * 100 + 4 * 20))).toBe(true);
    expect(fits(SMOLLM2_135M, [short, short, short], tokens(10_000))).toBe(false);
  });
});

describe('admission', () => {
  it('begins as many groups as fit, in order, and the next ones at the latest when those ended', () => {
    const groups = groupsOf([5, 5, 5, 5, 5], 3, 40);
    const state = admission(groups);
    expect(admit(state, 0)).toEqual([0, 1]);
    expect(admit(state, 100)).toEqual([]);
    finish(groups, 6);
    expect(admit(state, 100)).toEqual([2, 3]);
    finish(groups, 6);
    expect(admit(state, 100)).toEqual([4]);
    expect(admit(state, 100)).toEqual([]);
  });

  it('lets groups join a long completion once waiting has cost more than joining', () => {
    const groups = groupsOf([5, 5, 5, 5], 4, 200);
    const state = admission(groups);
    expect(admit(state, 0)).toEqual([0, 1]);
    finish(groups, 7);
    let steps = 0;
    let joined: number[] = [];
    while (joined.length === 0 && steps < 100) {
      steps++;
      countStep(state, 1, 20 + steps);
      joined = admit(state, 300);
    }
    expect(joined).toEqual([2]);
    expect(steps).toBeGreaterThan(1);
    expect(steps).toBeLessThan(10);
  });

  it('waits where the joining rows would mostly look at masked positions', () => {
    const groups = groupsOf([5, 5, 5, 5], 4, 400);
    const state = admission(groups);
    admit(state, 0);
    finish(groups, 7);
    for (let steps = 0; steps < 100; steps++) {
      countStep(state, 1, 5_000);
      expect(admit(state, 300)).toEqual([]);
    }
  });

  it('does not join at every token when rows end one by one', () => {
    const groups = groupsOf(
      Array.from({ length: 40 }, () => 5),
      1,
      100,
    );
    const state = admission(groups);
    const joins: number[] = [];
    admit(state, 0);
    for (let step = 0; step < 24; step++) {
      finish(groups.slice(0, state.next), 1);
      const open = groups.slice(0, state.next).filter(({ rows }) => !rows[0]!.finished).length;
      countStep(state, open, 20);
      joins.push(admit(state, 300).length);
    }
    const joined = joins.filter((count) => count > 0);
    expect(joined.length).toBeGreaterThan(1);
    expect(joined.every((count) => count > 1)).toBe(true);
  });
});

describe('costs', () => {
  it('give each row of the default shard a slot of its group', () => {
    const rows = Array.from({ length: 64 }, (_, i) => i);
    const grid = planGrid(traits, rows, (row) => Math.floor(row / 8), 40);
    expect(grid.slots.length).toBe(64);
    expect(grid.slots.every((row) => row >= 0)).toBe(true);
  });

  it('pack the matrices of large policies for long completions', () => {
    expect(matrixPlace(SMOLLM2_135M, 64)).toBe('packed');
    expect(matrixPlace(SMOLLM2_135M, 8)).toBe('fed');
    expect(matrixPlace(traits, 10_000)).toBe('fed');
  });
});
