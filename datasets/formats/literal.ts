import { ExactNumber, type ExactRecord, type ExactValue } from '../../contracts/exact-number.ts';
import { cutText } from '../../contracts/cut-text.ts';

/**
 * Reads what data sets have for values: JSON, and Python's way to write the same (`'…'`, `True`, `None`, tuples), as
 * Hermes's and ToolACE's rows have it. Numbers are kept as they are written. In linear time; nothing is evaluated.
 */
export interface LiteralCursor {
  readonly text: string;
  at: number;
}

/** What cannot be read; its message says what stands there. */
export class NotLiteral extends Error {}

/** Nothing real nests deeper, and deeper values overflow the stack of whoever walks them. */
const MAX_DEPTH = 64;

const SPACE = /\s*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const WORD = /[A-Za-z]+/y;
const PLAIN = { '"': /[^"\\]*/y, "'": /[^'\\]*/y } as const;
const OCTAL = /[0-7]{1,3}/y;
/** Escapes of a code point, by their letter: so many hexadecimal digits. */
const HEX: ReadonlyMap<string, RegExp> = new Map([
  ['x', /[0-9a-fA-F]{2}/y],
  ['u', /[0-9a-fA-F]{4}/y],
  ['U', /[0-9a-fA-F]{8}/y],
]);
const MAX_CODE_POINT = 0x10_ff_ff;

const WORDS: ReadonlyMap<string, null | boolean> = new Map([
  ['null', null],
  ['None', null],
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
]);
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['\\', '\\'],
  ['/', '/'],
  ['a', '\u0007'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  // The line goes on.
  ['\n', ''],
]);

/** A text that is one value and nothing else. @throws NotLiteral */
export function parseLiteral(text: string): ExactValue {
  const cursor = { text, at: 0 };
  const value = readLiteral(cursor);
  skipSpace(cursor);
  if (cursor.at < text.length) throw unexpected(cursor, 'nothing more');
  return value;
}

/** The value that begins at the cursor, which is left behind it. @throws NotLiteral */
export function readLiteral(cursor: LiteralCursor, depth = 0): ExactValue {
  if (depth > MAX_DEPTH) throw new NotLiteral(`nests deeper than ${MAX_DEPTH} levels`);
  skipSpace(cursor);
  const first = cursor.text[cursor.at];
  if (first === '"' || first === "'") return readString(cursor, first);
  if (first === '{') return readDict(cursor, depth);
  if (first === '[') {
    cursor.at++;
    return readItems(cursor, ']', depth);
  }
  if (first === '(') return readParenthesised(cursor, depth);
  const number = match(cursor, NUMBER);
  if (number !== '') return new ExactNumber(number);
  const at = cursor.at;
  const word = match(cursor, WORD);
  const value = WORDS.get(word);
  if (value !== undefined) return value;
  cursor.at = at;
  throw unexpected(cursor, 'a value');
}

export function skipSpace(cursor: LiteralCursor): void {
  match(cursor, SPACE);
}

/** Steps over the character if it comes next, after white space. */
export function stepOver(cursor: LiteralCursor, character: string): boolean {
  skipSpace(cursor);
  if (cursor.text[cursor.at] !== character) return false;
  cursor.at++;
  return true;
}

export function unexpected({ text, at }: LiteralCursor, wanted: string): NotLiteral {
  const found = at < text.length ? JSON.stringify(cutText(text.slice(at, at + 40), 24)) : 'the end';
  return new NotLiteral(`has ${found} where ${wanted} belongs`);
}

function match(cursor: LiteralCursor, pattern: RegExp): string {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text)?.[0] ?? '';
  cursor.at += found.length;
  return found;
}

/** Those after the ones that are there, up to the bracket that ends them. */
function readItems(
  cursor: LiteralCursor,
  end: ']' | ')',
  depth: number,
  items: ExactValue[] = [],
): readonly ExactValue[] {
  while (!stepOver(cursor, end)) {
    items.push(readLiteral(cursor, depth + 1));
    if (stepOver(cursor, ',')) continue;
    if (stepOver(cursor, end)) break;
    throw unexpected(cursor, `"," or "${end}"`);
  }
  return items;
}

/** A tuple, or one value in parentheses: the comma makes the difference. */
function readParenthesised(cursor: LiteralCursor, depth: number): ExactValue {
  cursor.at++;
  if (stepOver(cursor, ')')) return [];
  const first = readLiteral(cursor, depth + 1);
  if (stepOver(cursor, ')')) return first;
  if (!stepOver(cursor, ',')) throw unexpected(cursor, '"," or ")"');
  return readItems(cursor, ')', depth, [first]);
}

function readDict(cursor: LiteralCursor, depth: number): ExactRecord {
  const fields: [string, ExactValue][] = [];
  cursor.at++;
  while (!stepOver(cursor, '}')) {
    const quote = cursor.text[cursor.at];
    if (quote !== '"' && quote !== "'") throw unexpected(cursor, 'a key in quotation marks');
    const key = readString(cursor, quote);
    if (!stepOver(cursor, ':')) throw unexpected(cursor, '":"');
    fields.push([key, readLiteral(cursor, depth + 1)]);
    if (stepOver(cursor, ',')) continue;
    if (stepOver(cursor, '}')) break;
    throw unexpected(cursor, '"," or "}"');
  }
  // Not by assignment: a key may be `__proto__`.
  return Object.fromEntries(fields);
}

function readString(cursor: LiteralCursor, quote: '"' | "'"): string {
  cursor.at++;
  const parts: string[] = [];
  for (;;) {
    parts.push(match(cursor, PLAIN[quote]));
    const stop = cursor.text[cursor.at++];
    if (stop === quote) return parts.join('');
    if (stop === undefined) throw unexpected(cursor, 'a quotation mark');
    parts.push(readEscape(cursor));
  }
}

/** As in JSON and in Python; what is no escape stands for itself, as in Python. */
function readEscape(cursor: LiteralCursor): string {
  const octal = match(cursor, OCTAL);
  if (octal !== '') return String.fromCharCode(Number.parseInt(octal, 8));
  const letter = cursor.text[cursor.at++] ?? '';
  const hex = HEX.get(letter);
  if (hex !== undefined) {
    const code = Number.parseInt(match(cursor, hex), 16);
    if (Number.isNaN(code)) throw unexpected(cursor, 'the hexadecimal digits of an escape');
    if (code > MAX_CODE_POINT) throw new NotLiteral(`has \\U${code.toString(16)}: no character`);
    return String.fromCodePoint(code);
  }
  // A character by its Unicode name, of which there are tens of thousands.
  if (letter === 'N') throw unexpected(cursor, 'an escape other than \\N{…}');
  return ESCAPES.get(letter) ?? `\\${letter}`;
}
