import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CompletionShape } from '../../contracts/sample.ts';
import { scoreCompletion } from '../../dscl/reward.ts';

/** One line of the table that generate.py wrote; its docstring names the fields. */
interface ParityCase {
  readonly w: string;
  readonly c: string;
  readonly t: string;
  readonly s: CompletionShape;
  readonly f: number;
  readonly n: number | null;
  readonly k: number | null;
  readonly v: number | null;
  readonly r: number;
  readonly x: boolean;
}

const table = readFileSync(
  new URL('../fixtures/reward-parity/cases.jsonl', import.meta.url),
  'utf8',
)
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as ParityCase);

describe('reward parity with the Python reference', () => {
  it('covers every verdict many times', () => {
    expect(table.length).toBeGreaterThanOrEqual(2500);
    expect(table.filter((row) => row.n === null).length).toBeGreaterThan(300);
    expect(table.filter((row) => row.x).length).toBeGreaterThan(300);
    expect(table.filter((row) => row.f === 0).length).toBeGreaterThan(300);
  });

  it('agrees on every case', () => {
    const wrong: unknown[] = [];
    for (const row of table) {
      const got = scoreCompletion({
        completion: row.c,
        groundTruth: { shape: row.s, groundTruth: row.t, calls: [] },
        valueMatch: 'toolrl',
      });
      const { format, name, key, value } = got.scores;
      const pairs: readonly (readonly [number, number])[] = [
        [format, row.f],
        [name, row.n ?? 0],
        [key, row.k ?? 0],
        [value, row.v ?? 0],
        [got.reward, row.r],
      ];
      const agrees =
        pairs.every(([ours, theirs]) => Math.abs(ours - theirs) <= 1e-12) &&
        got.exactMatch === row.x &&
        got.parseable === (row.n !== null);
      if (!agrees) wrong.push({ row, got });
    }
    expect(wrong).toEqual([]);
  });
});
