import { expect, test } from 'vitest';
import { readOptions, SECTIONS } from '../../bench/options.ts';

test('options', () => {
  const all = readOptions([]);
  expect([...all.sections]).toEqual([...SECTIONS]);
  expect(all).toMatchObject({ repeats: 3, minutes: 10, peers: true, model: undefined });
  const some = readOptions(['--only', 'step', '--no-peers', '--minutes', '60', '--model', '/m']);
  expect([...some.sections]).toEqual(['step']);
  expect(some).toMatchObject({ peers: false, minutes: 60, model: '/m' });
  expect(() => readOptions(['--only', 'smollm2'])).toThrow('does not know "smollm2"');
  expect(() => readOptions(['--minutes', '0'])).toThrow('whole number');
});
