import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../contracts/json.ts';
import { scoreCompletion } from '../../dscl/reward.ts';

const wrap = (text: string): string =>
  `<think>x</think>\n<tool_call>\n{"name":"f","parameters":${text}}\n</tool_call>`;

/** Scores one call written as JSON text against allowed values. */
function judge(
  parameters: string,
  truth: { readonly [key: string]: JsonValue },
  allowed?: { readonly [key: string]: readonly JsonValue[] },
  truthText = JSON.stringify(truth),
) {
  return scoreCompletion({
    completion: wrap(parameters),
    groundTruth: {
      shape: 'call',
      groundTruth: wrap(truthText),
      calls: [{ name: 'f', parameters: truth }],
      ...(allowed === undefined ? {} : { allowedValues: [allowed] }),
    },
    valueMatch: 'bfcl',
  });
}
const accepts = (given: string, wanted: JsonValue, ...allowed: readonly JsonValue[]): boolean =>
  judge(`{"a":${given}}`, { a: wanted }, allowed.length > 0 ? { a: allowed } : undefined)
    .exactMatch;

describe('BFCL values', () => {
  it.each([
    ['"April 1, 2024"', 'april 1 2024', true],
    ['"it\'s"', 'IT"S', true],
    ['"a-b_c*d^e.f/g"', 'abcdefg', true],
    ['"a b"', 'a;b', false],
    ['"5"', 5, false],
    ['5', '5', false],
    ['true', 1, false],
    ['1', true, false],
    ['true', true, true],
    ['null', null, true],
    ['5', 5, true],
    ['5.0', 5, false],
    ['5', 5.5, false],
    ['["A b", 2]', ['ab', 2], true],
    ['[2, "ab"]', ['ab', 2], false],
    ['["ab"]', ['ab', 2], false],
    ['{"x": "A B", "y": [1]}', { y: [1], x: 'ab' }, true],
    ['{"x": "ab"}', { x: 'ab', y: 1 }, false],
    ['[]', {}, false],
    ['9007199254740993', 9007199254740992, false],
  ])('%s for %j: %s', (given, wanted, verdict) => {
    expect(accepts(given, wanted)).toBe(verdict);
  });

  it('takes an int where a float is asked, and a float where the text or the list says so', () => {
    expect(judge('{"a":5}', { a: 5 }, undefined, '{"a":5.0}').exactMatch).toBe(true);
    expect(judge('{"a":5.0}', { a: 5 }, undefined, '{"a":5.0}').exactMatch).toBe(true);
    expect(accepts('5.0', 5, 5, 5.5)).toBe(true);
    expect(accepts('[1.0, 2.5]', [1, 2.5])).toBe(true);
    expect(accepts('true', 1.5, 1, 1.5)).toBe(false);
  });

  it('takes any allowed value, and only those', () => {
    expect(accepts('"NYC"', 'New York', 'New York', 'nyc')).toBe(true);
    expect(accepts('"Boston"', 'New York', 'New York', 'nyc')).toBe(false);
    expect(accepts('["b","a"]', ['a', 'b'], ['a', 'b'], ['b', 'a'])).toBe(true);
  });

  it("reads BFCL's dicts of allowed lists, one level deep, and lists of dicts in order", () => {
    const allowed = { size: ['L', 'large'], colour: ['red', ''] };
    expect(accepts('{"size":"Large"}', { size: 'L' }, allowed)).toBe(true);
    expect(accepts('{"size":"L","colour":"blue"}', { size: 'L' }, allowed)).toBe(false);
    expect(accepts('{"colour":"red"}', { size: 'L' }, allowed)).toBe(false);
    expect(accepts('{"size":"L","extra":1}', { size: 'L' }, allowed)).toBe(false);
    const list = [{ x: [1] }, { x: [2, 3] }];
    expect(accepts('[{"x":1},{"x":3}]', [], list)).toBe(true);
    expect(accepts('[{"x":3},{"x":1}]', [], list)).toBe(false);
    expect(accepts('[{"x":1}]', [], list)).toBe(false);
  });

  it('forgives an omitted optional key, and no other', () => {
    const allowed = { unit: ['km', ''], n: [1] };
    expect(judge('{"n":1}', { n: 1 }, allowed)).toMatchObject({ exactMatch: true, reward: 4 });
    expect(judge('{"n":1,"unit":"KM"}', { n: 1 }, allowed).exactMatch).toBe(true);
    expect(judge('{"unit":"km"}', { n: 1 }, allowed).exactMatch).toBe(false);
    expect(judge('{"n":1,"unit":"km","x":0}', { n: 1 }, allowed).exactMatch).toBe(false);
    expect(judge('{"n":1,"unit":"mi"}', { n: 1 }, allowed).exactMatch).toBe(false);
  });

  it('asks for the exact number of calls', () => {
    const line = '{"name":"f","parameters":{}}';
    const twice = `<think>x</think>\n<tool_call>\n${line}\n${line}\n</tool_call>`;
    const once = twice.replace(`${line}\n`, '');
    const groundTruth = {
      shape: 'call',
      groundTruth: once,
      calls: [{ name: 'f', parameters: {} }],
    } as const;
    const verdict = (completion: string) =>
      scoreCompletion({ completion, groundTruth, valueMatch: 'bfcl' }).exactMatch;
    expect(verdict(once)).toBe(true);
    expect(verdict(twice)).toBe(false);
  });
});
