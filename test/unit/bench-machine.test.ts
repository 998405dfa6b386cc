import { expect, test } from 'vitest';
import { hasBf16Flag } from '../../bench/machine.ts';

test('bf16 is known from the flags of the processor', () => {
  expect(
    hasBf16Flag('model name\t: X\nflags\t\t: fpu avx2 avx512_bf16 fma\nbugs\t\t: none\n'),
  ).toBe(true);
  expect(hasBf16Flag('Features\t: fp asimd bf16 i8mm\n')).toBe(true);
  expect(hasBf16Flag('flags\t\t: fpu avx2 avx512f avx512bw\n')).toBe(false);
  expect(hasBf16Flag('processor\t: 0\n')).toBeNull();
});
