import type { PythonValue } from '../../dscl/python-value.ts';

const DIGITS = String.raw`\d+(?:_\d+)*`;
const INT = new RegExp(`^[+-]?${DIGITS}$`);
const FLOAT = new RegExp(
  `^[+-]?(?:(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?|inf|infinity|nan)$`,
  'i',
);

/** Python's `int(text)`, or else its `float(text)`, or else the text: `bigint` is an int, `number` a float. */
export function numberOrText(text: string): bigint | number | string {
  const written = asciiDigits(text.trim());
  const plain = written.replaceAll('_', '');
  if (INT.test(written)) return integer(plain);
  return FLOAT.test(written) ? float(plain) : text;
}

/**
 * What the first group of a pattern finds in a text, as a number; the text where the pattern does not match. As in Python's
 * patterns, `\d` is a digit of any script, and `$` may have a line break after it.
 */
export function numberIn<Value extends PythonValue>(
  text: string,
  pattern: RegExp,
  convert: (digits: string) => Value,
): Value | string {
  const digits = pattern.exec(asciiDigits(text).replace(/\n$/, ''))?.[1];
  return digits === undefined ? text : convert(digits);
}

/** Digits of other scripts replaced: Unicode has the ten of a script one after another. */
function asciiDigits(text: string): string {
  return text.replace(/(?![0-9])\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) ?? 0;
    let first = code;
    while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first--;
    return String((code - first) % 10);
  });
}

/** Of a text of digits, which may have a sign. */
export function integer(digits: string): bigint {
  return BigInt(digits.replace(/^\+/, ''));
}

/** Python's `float(text)` of a text that is one. */
export function float(text: string): number {
  const special = /^([+-]?)(inf|nan)/i.exec(text);
  if (special === null) return Number(text);
  if (special[2]?.toLowerCase() === 'nan') return NaN;
  return special[1] === '-' ? -Infinity : Infinity;
}
