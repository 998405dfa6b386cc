import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNIT_WEIGHTS } from '../../contracts/curriculum.ts';
import { SUB_TASKS, VALUE_MATCHES, type PerSubTask } from '../../contracts/reward.ts';
import { compareCalls } from '../../dscl/call-comparison.ts';
import type { GroundTruth } from '../../dscl/ground-truth.ts';
import { rewardBase, rewardParts } from '../../dscl/reward-parts.ts';
import { callCapacities, scoreCompletion, weightedReward } from '../../dscl/reward.ts';

const call = (name: string, parameters: object): string => JSON.stringify({ name, parameters });
const written = (...calls: string[]): string =>
  `<think>ok</think>\n<tool_call>\n${calls.join('\n')}\n</tool_call>`;

const truth = written(call('set_alarm', { hour: 7, label: 'run' }));
const sample: GroundTruth = {
  groundTruth: truth,
  shape: 'call',
  calls: [{ name: 'set_alarm', parameters: { hour: 7, label: 'run' } }],
};

const total = (parts: ReturnType<typeof rewardParts>, field: 'points' | 'weightedPoints'): number =>
  SUB_TASKS.reduce((sum, task) => sum + parts[task][field], 0);

describe('rewardParts', () => {
  const weight = fc.double({ min: 0.5, max: 2, noNaN: true });
  const weights = fc.record({ format: weight, name: weight, key: weight, value: weight });
  const completion = fc.constantFrom(
    truth,
    truth.replace('7', '8'),
    truth.replace('"label"', '"name"'),
    truth.replace('set_alarm', 'set_timer'),
    truth.replace('</think>', ''),
    'nothing',
  );

  it('adds up to the reward that the run learned from', () => {
    fc.assert(
      fc.property(completion, weights, (text, w) => {
        const breakdown = scoreCompletion({
          completion: text,
          groundTruth: sample,
          valueMatch: 'toolrl',
        });
        const parts = rewardParts(breakdown.scores, breakdown.capacities, w);
        expect(total(parts, 'points') + rewardBase(breakdown.capacities)).toBeCloseTo(
          breakdown.reward,
          9,
        );
        expect(total(parts, 'weightedPoints') + rewardBase(breakdown.capacities)).toBeCloseTo(
          weightedReward(breakdown, w),
          9,
        );
      }),
    );
  });

  it('counts format alone where no call was asked for', () => {
    const scores: PerSubTask = { format: 1, name: 0, key: 0, value: 0 };
    const parts = rewardParts(
      scores,
      { name: 0, key: 0, value: 0 },
      { ...UNIT_WEIGHTS, format: 0.5 },
    );
    expect([total(parts, 'points'), total(parts, 'weightedPoints')]).toEqual([1, 1]);
  });
});

describe('compareCalls', () => {
  const twice: GroundTruth = {
    groundTruth: written(call('a', { x: 1, y: 2 }), call('a', { x: 3, y: 4 })),
    shape: 'call',
    calls: [],
  };

  it('puts names, keys and values side by side', () => {
    const given = written(call('set_alarm', { hour: 8, name: 'run' }), call('<img>', {}));
    expect(compareCalls(given, sample, 'toolrl')).toEqual([
      {
        wanted: 'set_alarm',
        given: 'set_alarm',
        parameters: [
          { key: 'hour', wanted: '7', given: '8', right: false },
          { key: 'label', wanted: '"run"', given: null, right: false },
          { key: 'name', wanted: null, given: '"run"', right: false },
        ],
      },
      { wanted: null, given: '<img>', parameters: [] },
    ]);
  });

  it('matches calls of one name as the reward does: the best fit first', () => {
    const given = written(call('a', { x: 3, y: 4 }), call('a', { x: 1, y: 9 }));
    const [first, second] = compareCalls(given, twice, 'toolrl') ?? [];
    expect(first?.parameters.map(({ right }) => right)).toEqual([true, false]);
    expect(second?.parameters.map(({ right }) => right)).toEqual([true, true]);
  });

  it('gives a call whose name alone is right to the wanted call', () => {
    const [only] = compareCalls(written(call('set_alarm', { when: 7 })), sample, 'toolrl') ?? [];
    expect([only?.wanted, only?.given]).toEqual(['set_alarm', 'set_alarm']);
    expect(only?.parameters.filter(({ given }) => given !== null)).toHaveLength(1);
  });

  it('tells calls that are missing, superfluous, and not readable', () => {
    expect(compareCalls(written(call('b', {})), sample, 'toolrl')).toMatchObject([
      { wanted: 'set_alarm', given: null },
      { wanted: null, given: 'b' },
    ]);
    expect(compareCalls('<tool_call>\n{"name": \n</tool_call>', sample, 'toolrl')).toBeNull();
    const silent: GroundTruth = { groundTruth: '<think>no</think>', shape: 'think', calls: [] };
    expect(compareCalls('<think>no</think>', silent, 'toolrl')).toEqual([]);
  });

  it('agrees with the reward on every completion: as many right values as it counts', () => {
    const value = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constantFrom('a', 'A', null, 1.5));
    const parameters = fc.dictionary(fc.constantFrom('x', 'y', 'z'), value);
    const list = fc.array(fc.tuple(fc.constantFrom('f', 'g'), parameters), {
      minLength: 1,
      maxLength: 3,
    });
    const texts = list.map((calls) => written(...calls.map(([name, args]) => call(name, args))));
    fc.assert(
      fc.property(texts, texts, fc.constantFrom(...VALUE_MATCHES), (wanted, given, valueMatch) => {
        const groundTruth: GroundTruth = { groundTruth: wanted, shape: 'call', calls: [] };
        const { scores, capacities } = scoreCompletion({
          completion: given,
          groundTruth,
          valueMatch,
        });
        const rows = (compareCalls(given, groundTruth, valueMatch) ?? []).flatMap(
          (each) => each.parameters,
        );
        const right = rows.filter((row) => row.right).length;
        expect(right).toBe(Math.round(scores.value * capacities.value));
        expect(callCapacities(groundTruth, valueMatch)).toEqual(capacities);
      }),
    );
  });
});
