import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNIT_WEIGHTS } from '../../contracts/curriculum.ts';
import type { PerSubTask } from '../../contracts/reward.ts';
import type { ToolCall } from '../../contracts/sample.ts';
import { MAX_COMPLETION_LENGTH } from '../../dscl/completion.ts';
import type { GroundTruth } from '../../dscl/ground-truth.ts';
import { scoreCompletion, weightedReward } from '../../dscl/reward.ts';

const written = (calls: readonly unknown[]): string =>
  `<think>ok</think>\n<tool_call>\n${calls.map((call) => JSON.stringify(call)).join('\n')}\n</tool_call>`;
const truthOf = (calls: readonly ToolCall[]): GroundTruth => ({
  shape: 'call',
  groundTruth: written(calls),
  calls,
});
const score = (completion: string, calls: readonly ToolCall[]) =>
  scoreCompletion({ completion, groundTruth: truthOf(calls), valueMatch: 'toolrl' });

const word = fc.constantFrom('a', 'b', 'c', 'd');
const call = fc.record({
  name: word,
  parameters: fc.dictionary(word, fc.constantFrom(1, 2, true, 'x', null), { maxKeys: 3 }),
});
const calls = fc.array(call, { minLength: 1, maxLength: 4 });
const weight = fc.double({ min: 0.01, max: 100, noNaN: true });
const weights: fc.Arbitrary<PerSubTask> = fc.record({
  format: weight,
  name: weight,
  key: weight,
  value: weight,
});

describe('scoreCompletion', () => {
  const book = { name: 'book', parameters: { city: 'Rome', nights: 2 } };
  const pay = { name: 'pay', parameters: { amount: 5 } };

  it('works out by hand: one call of two right, one value of two wrong', () => {
    // Names {book} of {book, pay}: 1/2. Keys: 2/2 for book. Values: 1. S_max = 1 + (1 + 2) + (1 + 1) = 6.
    const got = score(written([{ name: 'book', parameters: { nights: 2, city: 'Oslo' } }]), [
      book,
      pay,
    ]);
    expect(got.reward).toBeCloseTo(1 + (6 * (0.5 + 1 + 1)) / 6 - 3, 12);
    expect(got.scores.format).toBe(1);
    expect(got.scores.name).toBeCloseTo(1 / 2, 12);
    expect(got.scores.key).toBeCloseTo(1 / 2, 12);
    expect(got.scores.value).toBeCloseTo(1 / 3, 12);
    expect(got.capacities).toEqual({ name: 1, key: 2, value: 3 });
    expect(got).toMatchObject({ min: -3, max: 4, parseable: true, exactMatch: false });
    expect(got.conditional).toEqual({
      format: { successes: 1, trials: 1 },
      name: { successes: 1, trials: 2 },
      key: { successes: 2, trials: 2 },
      value: { successes: 1, trials: 2 },
    });
  });

  it('works out by hand: a prediction of the right name shares nothing', () => {
    // Name 1, key 0, value 0 of S_max = 1 + 1 + 2; the name matched, so its keys were tried and failed.
    const got = score(written([{ name: 'book', parameters: { x: 1 } }]), [book]);
    expect(got.reward).toBeCloseTo(1 + 6 / 4 - 3, 12);
    expect(got.conditional.key).toEqual({ successes: 0, trials: 2 });
    expect(got.conditional.value).toEqual({ successes: 0, trials: 0 });
  });

  it('gives the range of the shape: [0, 1] without a call', () => {
    const groundTruth: GroundTruth = {
      shape: 'response',
      groundTruth: '<think>x</think>\n<response>y</response>',
      calls: [],
    };
    const right = scoreCompletion({
      completion: '<think>a</think>\n<response>b</response>',
      groundTruth,
      valueMatch: 'toolrl',
    });
    expect(right).toMatchObject({ reward: 1, min: 0, max: 1, exactMatch: true });
    expect(right.capacities).toEqual({ name: 0, key: 0, value: 0 });
    const wrong = scoreCompletion({ completion: 'b', groundTruth, valueMatch: 'toolrl' });
    expect(wrong).toMatchObject({ reward: 0, exactMatch: false });
    expect(weightedReward(wrong, { format: 2, name: 1, key: 0.5, value: 0.5 })).toBe(0);
  });

  it('reads integers beyond 2^53 from the text, and falls back to the calls where the text has none', () => {
    const groundTruth: GroundTruth = {
      shape: 'call',
      groundTruth: written([]).replace(
        '\n\n',
        '\n{"name":"f","parameters":{"n":9007199254740993}}\n',
      ),
      calls: [{ name: 'f', parameters: { n: 9007199254740992 } }],
    };
    const near =
      '<think></think>\n<tool_call>\n{"name":"f","parameters":{"n":9007199254740992}}\n</tool_call>';
    const input = { completion: near, valueMatch: 'toolrl' } as const;
    expect(scoreCompletion({ ...input, groundTruth }).exactMatch).toBe(false);
    const textless = { ...groundTruth, groundTruth: 'not in this form' };
    expect(scoreCompletion({ ...input, groundTruth: textless }).exactMatch).toBe(true);
  });

  it('survives JSON nested 10^5 deep and completions beyond any limit', () => {
    for (const open of ['[', '{"a":', '[{"a":']) {
      const deep = written([]).replace('\n\n', `\n${open.repeat(100_000)}\n`);
      expect(score(deep, [book])).toMatchObject({ reward: -2, parseable: false });
    }
    const balanced = `{"name":"book","parameters":{"city":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
    expect(score(written([]).replace('\n\n', `\n${balanced}\n`), [book]).parseable).toBe(false);
    const fair = `{"name":"book","parameters":{"city":${'['.repeat(800)}${']'.repeat(800)}}}`;
    expect(score(written([]).replace('\n\n', `\n${fair}\n`), [book]).parseable).toBe(true);
    const long = written([book]).replace('ok', 'o'.repeat(MAX_COMPLETION_LENGTH));
    expect(score(long, [book])).toMatchObject({ reward: -3, parseable: false });
    expect(score('<think>'.repeat(140_000), [book]).reward).toBe(-3);
  });

  it('refuses a ground truth nested beyond reason with a clear error', () => {
    let value: readonly unknown[] = [];
    for (let depth = 0; depth < 2000; depth++) value = [value];
    const groundTruth: GroundTruth = {
      shape: 'call',
      groundTruth: '',
      calls: [{ name: 'f', parameters: { value: value as never } }],
    };
    expect(() => scoreCompletion({ completion: '', groundTruth, valueMatch: 'toolrl' })).toThrow(
      /nested deeper/,
    );
  });

  it('never throws and stays in range, whatever the completion', () => {
    const piece = fc.constantFrom(
      '<think>', '</think>', '\n', '<tool_call>', '</tool_call>', '<response>', '</response>',
      '{"name":"a","parameters":{"a":1}}', '{"name":"a"}', '{', '}', '"', '\\', '[', ']', 'NaN', '\ud800', '\0',
    ); // prettier-ignore
    const text = fc.oneof(
      fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(
        text,
        calls,
        fc.constantFrom('toolrl', 'bfcl'),
        (completion, wanted, valueMatch) => {
          const got = scoreCompletion({ completion, groundTruth: truthOf(wanted), valueMatch });
          expect(got.reward).toBeGreaterThanOrEqual(-3);
          expect(got.reward).toBeLessThanOrEqual(4);
          expect(got.exactMatch).toBe(got.reward === 4);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('gives the maximum to the ground truth itself, in any order of calls and keys', () => {
    fc.assert(
      fc.property(calls, fc.nat(), (wanted, seed) => {
        const shuffled = wanted
          .map(({ name, parameters }, i) => ({
            rank: (i * 7919 + seed) % 101,
            parameters: Object.fromEntries(Object.entries(parameters).toReversed()),
            name,
          }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ name, parameters }) => ({ parameters, name }));
        expect(score(written(shuffled), wanted)).toMatchObject({ reward: 4, exactMatch: true });
      }),
    );
  });

  it('scores names alike in any order of the prediction', () => {
    fc.assert(
      fc.property(calls, calls, (wanted, predicted) => {
        const there = score(written(predicted), wanted);
        const back = score(written(predicted.toReversed()), wanted);
        expect(back.scores.name).toBe(there.scores.name);
      }),
    );
  });

  it('is monotone: a value put right never lowers the reward of a single call', () => {
    fc.assert(
      fc.property(call, call, word, (wanted, { parameters }, key) => {
        fc.pre(Object.hasOwn(wanted.parameters, key));
        const before = score(written([{ name: wanted.name, parameters }]), [wanted]);
        const fixed = { ...parameters, [key]: wanted.parameters[key] };
        const after = score(written([{ name: wanted.name, parameters: fixed }]), [wanted]);
        expect(after.reward).toBeGreaterThanOrEqual(before.reward);
      }),
    );
  });

  it('counts evidence that its scores agree with', () => {
    fc.assert(
      fc.property(calls, calls, (wanted, predicted) => {
        const { conditional, scores } = score(written(predicted), wanted);
        expect(conditional.name.successes / conditional.name.trials).toBeCloseTo(scores.name, 12);
        for (const { successes, trials } of Object.values(conditional)) {
          expect(successes).toBeGreaterThanOrEqual(0);
          expect(successes).toBeLessThanOrEqual(trials);
        }
        expect(conditional.value.trials).toBe(conditional.key.successes);
      }),
    );
  });
});

describe('weightedReward', () => {
  const breakdown = fc
    .tuple(calls, calls, fc.boolean())
    .map(([wanted, predicted, broken]) =>
      score(broken ? written(predicted).slice(1) : written(predicted), wanted),
    );

  it('works out by hand', () => {
    // Capacities 1, 1, 2 of 4. w = (.5, .5, 1, 2): possible = .5 + 6(.125 + .25 + 1) = 8.75,
    // reached = .5 + 6(.125·1 + .25·1 + 1·.5) = 5.75.
    const got = score(written([{ name: 'f', parameters: { a: 1, b: 9 } }]), [
      { name: 'f', parameters: { a: 1, b: 2 } },
    ]);
    expect(weightedReward(got, { format: 0.5, name: 0.5, key: 1, value: 2 })).toBeCloseTo(
      -3 + (7 * 5.75) / 8.75,
      12,
    );
  });

  it("gives ToolRL's R exactly at weight 1", () => {
    fc.assert(
      fc.property(breakdown, (got) => {
        expect(weightedReward(got, UNIT_WEIGHTS)).toBe(got.reward);
        // The formula itself, not only the short cut.
        const nearly = { ...UNIT_WEIGHTS, value: 1 + 1e-13 };
        expect(weightedReward(got, nearly)).toBeCloseTo(got.reward, 10);
      }),
    );
  });

  it('stays in [−3, 4] and keeps both ends, for any positive weights', () => {
    fc.assert(
      fc.property(breakdown, weights, (got, w) => {
        const reward = weightedReward(got, w);
        expect(reward).toBeGreaterThanOrEqual(-3);
        expect(reward).toBeLessThanOrEqual(4);
        if (got.reward === 4) expect(reward).toBe(4);
        if (got.reward === -3) expect(reward).toBe(-3);
      }),
      { numRuns: 500 },
    );
  });

  it('only looks at the ratios of weights', () => {
    fc.assert(
      fc.property(breakdown, weights, (got, w) => {
        const doubled = {
          format: 2 * w.format,
          name: 2 * w.name,
          key: 2 * w.key,
          value: 2 * w.value,
        };
        expect(weightedReward(got, doubled)).toBeCloseTo(weightedReward(got, w), 10);
      }),
    );
  });
});
