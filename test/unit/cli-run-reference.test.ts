import { describe, expect, it } from 'vitest';
import { findRunAtEpoch, findRunId } from '../../cli/run-reference.ts';

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

describe('findRunAtEpoch', () => {
  it.each([
    ['latest', 'dscl-3', undefined],
    ['latest@2', 'dscl-3', 2],
    ['uni@0', 'uniform-2', 0],
    ['latest@best', 'dscl-3', 'best'],
    ['me@home', 'me@home', undefined],
    ['me@h', 'me@home', undefined],
    ['me@home@12', 'me@home', 12],
  ])('takes %s for %s at epoch %s', (reference, run, epoch) => {
    expect(findRunAtEpoch(reference, [...runs, 'me@home'])).toEqual({ run, epoch });
  });

  it.each([
    ['latest@last', '"last" is not an epoch — epochs are numbers: latest@1 is the first'],
    ['latest@-1', '"-1" is not an epoch'],
    ['latest@', '"" is not an epoch'],
    ['x@1', 'there is no run "x"'],
  ])('refuses %s', (reference, message) => {
    expect(() => findRunAtEpoch(reference, runs)).toThrow(message);
  });
});
