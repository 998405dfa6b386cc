import { describe, expect, it } from 'vitest';
import { divideDraw, divideShuffle } from '../../dscl/drawn-batch.ts';

const four = (uniformShare: number) => ({ wanted: 4, uniformShare });
const first = (importances: readonly number[], share = 0.1) =>
  divideDraw(importances, four(share)).first;

describe('a shuffle', () => {
  it('goes on where the first round ends', () => {
    expect(divideShuffle(6, 4)).toEqual({ first: [0, 1, 2, 3], reserve: [4, 5] });
    expect(divideShuffle(3, 4)).toEqual({ first: [0, 1, 2], reserve: [] });
  });
});

describe('a draw by importance', () => {
  it('looks at samples without importance for the uniform share, not because nothing else is left', () => {
    expect(first([0.3, 0.2, 0, 0.1, 0.4, 0.5])).toEqual([0, 1, 2, 3]);
    expect(first([0, 0.2, 0, 0.1, 0, 0.5])).toEqual([0, 1, 3, 5]);
    expect(first([0.3, 0, 0, 0, 0, 0])).toEqual([0, 1]);
    expect(first([0.3, 0, 0, 0, 0, 0], 0.5)).toEqual([0, 1, 2]);
    expect(first([0, 0.2, 0.1], 0)).toEqual([1, 2]);
  });

  it('has no such samples stand in for dropped groups', () => {
    expect(divideDraw([0.3, 0.2, 0, 0.1, 0.4, 0, 0.5], four(0.1)).reserve).toEqual([4, 6]);
    expect(divideDraw([0, 0, 0.3, 0.2, 0.1, 0.4, 0.5], four(0.1))).toEqual({
      first: [0, 2, 3, 4],
      reserve: [5, 6],
    });
  });

  it('is taken as it comes where no sample has importance', () => {
    expect(divideDraw([0, 0, 0, 0, 0], four(0.1))).toEqual({ first: [0, 1, 2, 3], reserve: [] });
  });
});
