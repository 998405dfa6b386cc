import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkValue } from '../../contracts/checked-value.ts';
import { forkInput } from '../../services/configuration/fork-input.ts';
import { readBody } from '../../serving/request-body.ts';

const UNCOMPARABLE = '{"length": {"toString": 1, "valueOf": 1}}';

it('takes what fits, and tells what does not', () => {
  const schema = z.object({ name: z.string().min(1).max(3) });
  expect(checkValue(schema, { name: 'ab' })).toMatchObject({ success: true, data: { name: 'ab' } });
  expect(checkValue(schema, { name: 'abcd' }).error?.issues[0]?.path).toEqual(['name']);
});

describe('what a value lacks', () => {
  it.each([
    [z.object({ a: z.unknown() }), {}, 'is missing'],
    [z.object({ a: z.enum(['q', 'r']) }), {}, 'is missing'],
    [z.enum(['q', 'r']), 's', 'must be one of q, r, not "s"'],
    [z.literal('text'), 3, 'must be "text", not 3'],
    [z.boolean(), 'yes', 'must be true or false, not "yes"'],
    [z.int().max(12_000), 12_001, 'must be at most 12,000, not 12001'],
    [z.number().gt(0), 0, 'must be more than 0, not 0'],
    [z.string().max(3), 'abcd', 'must have at most 3 characters, not 4'],
    [z.array(z.int()).min(1), [], 'must have at least 1 item, not 0'],
    [z.string().startsWith('/'), 'a', 'must begin with "/", not "a"'],
    [z.strictObject({}), { a: 1, b: 2 }, 'has the unknown keys "a", "b"'],
    [z.union([z.string(), z.array(z.string())]), 5, 'must be a text, or a list, not 5'],
    [
      z.union([z.string(), z.array(z.string())]),
      [5],
      'has none of the forms that are accepted: [5]',
    ],
    // A schema's own words win.
    [z.null('is not supported'), 1, 'is not supported'],
  ])('is told in our words', (schema, value, message) => {
    expect(checkValue<unknown>(schema, value).error?.issues[0]?.message).toBe(message);
  });
});

it('refuses a length that cannot be compared', () => {
  const value = { name: JSON.parse(UNCOMPARABLE) as unknown };
  const { success, error } = checkValue(z.object({ name: z.string().min(1) }), value);
  expect(success).toBe(false);
  expect(error?.issues).toMatchObject([{ path: [], message: /neither text, number nor list/u }]);
});

it('is how outside values are read', () => {
  const by = JSON.parse(UNCOMPARABLE) as unknown;
  expect(() => forkInput({ fork: { run: 'r', step: 3, by } })).toThrow('must name a run');
  const body = `{"model": ${UNCOMPARABLE}}`;
  expect(() => readBody(body, z.object({ model: z.string().max(10) }))).toThrow('neither text');
});
