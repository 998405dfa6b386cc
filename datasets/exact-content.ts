import { ExactNumber, type ExactValue } from '../contracts/exact-number.ts';
import { plainValue } from './formats/exact-values.ts';
import { NotLiteral, parseLiteral } from './formats/literal.ts';
import { isRecord } from './ground-truth.ts';

/** Fields that hold what a call is made with, or what is right for it: their numbers are kept as they are written. */
const EXACT_FIELDS: ReadonlySet<string> = new Set(['arguments', 'parameters', 'ground_truth']);

/** Whether numbers below a field are kept as they are written. */
export function isExactField(name: string): boolean {
  return EXACT_FIELDS.has(name);
}

/** Text of numbers that JavaScript would write otherwise: more digits than it keeps, a point before zeros, an exponent. */
const CHANGED = /\d{16}|\.\d*0(?!\d)|\d[eE][-+]?\d/;

/** A row of JSON, with the numbers of calls as {@link ExactNumber}s where JavaScript's would change any. @throws SyntaxError */
export function parseExactly(text: string): unknown {
  const parsed: unknown = JSON.parse(text);
  if (!CHANGED.test(text)) return parsed;
  try {
    return keepExact(parseLiteral(text), false);
  } catch (error) {
    // Nested deeper than any call is.
    if (error instanceof NotLiteral) return parsed;
    throw error;
  }
}

function keepExact(value: ExactValue, exact: boolean): unknown {
  if (exact) return value;
  if (value instanceof ExactNumber) return plainValue(value);
  if (Array.isArray(value)) return value.map((item) => keepExact(item as ExactValue, false));
  if (!isRecord(value)) return value;
  const members = Object.entries(value).map(
    ([key, part]) => [key, keepExact(part, isExactField(key))] as const,
  );
  return Object.fromEntries(members);
}
