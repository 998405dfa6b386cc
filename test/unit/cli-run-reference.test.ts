import { describe, expect, it } from 'vitest';
import { findRunId } from '../../cli/run-reference.ts';

const runs = ['dscl-3', 'dscl-1', 'dscl-10', 'uniform-2'];

describe('findRunId', () => {
  it.each([
    ['dscl-1', 'dscl-1'],
    ['uni', 'uniform-2'],
    ['dscl-10', 'dscl-10'],
    ['latest', 'dscl-3'],
  ])('takes %s for %s', (reference, run) => {
    expect(findRunId(reference, runs)).toBe(run);
  });

  it.each([
    ['dscl', '"dscl" could be 3 runs — write more of the id: dscl-3, dscl-1, dscl-10'],
    ['x', 'there is no run "x" — `toolsample runs` lists them; the newest is dscl-3'],
    ['', 'there is no run ""'],
  ])('refuses %s', (reference, message) => {
    expect(() => findRunId(reference, runs)).toThrow(message);
  });

  it('says how to get a first run', () => {
    expect(() => findRunId('latest', [])).toThrow(/start one with `toolsample train`/);
  });
});
