import { expect, it } from 'vitest';
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
