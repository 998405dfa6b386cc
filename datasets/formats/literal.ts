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
const HEX = /[0-9a-fA-F]{4}/y;

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
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
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
  if (first === '[') return readItems(cursor, ']', depth);
  if (first === '(') return readItems(cursor, ')', depth);
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

function readItems(cursor: LiteralCursor, end: ']' | ')', depth: number): readonly ExactValue[] {
  const items: ExactValue[] = [];
  cursor.at++;
  while (!stepOver(cursor, end)) {
    items.push(readLiteral(cursor, depth + 1));
    if (stepOver(cursor, ',')) continue;
    if (stepOver(cursor, end)) break;
    throw unexpected(cursor, `"," or "${end}"`);
  }
  return items;
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

/** As in JSON; what is no escape there stands for itself, as in Python. */
function readEscape(cursor: LiteralCursor): string {
  const letter = cursor.text[cursor.at++] ?? '';
  if (letter === 'u') {
    const digits = match(cursor, HEX);
    if (digits === '') throw unexpected(cursor, 'four hexadecimal digits');
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
  return ESCAPES.get(letter) ?? `\\${letter}`;
}
