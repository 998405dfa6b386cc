const DIGITS = String.raw`\d+(?:_\d+)*`;
const INT = new RegExp(`^[+-]?${DIGITS}$`);
const FLOAT = new RegExp(
  `^[+-]?(?:(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?|inf|infinity|nan)$`,
  'i',
);

/** Python's `int(text)`, or else its `float(text)`, or else the text: `bigint` is an int, `number` a float. */
export function numberOrText(text: string): bigint | number | string {
  const plain = text.trim().replaceAll('_', '');
  if (INT.test(text.trim())) return integer(plain);
  return FLOAT.test(text.trim()) ? float(plain) : text;
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
