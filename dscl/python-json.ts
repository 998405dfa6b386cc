import type { PythonValue } from './python-value.ts';

/** Deeper nesting is refused; CPython's reader gives up at about the same depth (recursion limit 1000). */
export const MAX_NESTING = 900;
/** CPython refuses to convert longer decimal integers. */
const MAX_INTEGER_DIGITS = 4300;

const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y; // oxlint-disable-line no-control-regex -- JSON forbids exactly these
const FOUR_HEX_DIGITS = /[0-9a-fA-F]{4}/y;

const CONSTANTS: readonly (readonly [string, PythonValue])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
];
const ESCAPES: { readonly [character: string]: string } = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class NotJson extends Error {}

interface Cursor {
  readonly text: string;
  at: number;
}

/**
 * Reads one JSON document as Python's `json.loads` does: NaN and ±Infinity are numbers, integers are exact, the last of
 * two equal keys wins, control characters inside strings and a byte-order mark are errors. [ToolRL reads calls with it]
 *
 * @returns undefined when the text is not JSON (or nested deeper than {@link MAX_NESTING}); never throws.
 */
export function parsePythonJson(text: string): PythonValue | undefined {
  const cursor: Cursor = { text, at: 0 };
  try {
    skipWhitespace(cursor);
    const value = readValue(cursor, 0);
    skipWhitespace(cursor);
    return cursor.at === text.length ? value : undefined;
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
}

function match(cursor: Cursor, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text);
  if (found !== null) cursor.at += found[0].length;
  return found;
}

function skipWhitespace(cursor: Cursor): void {
  match(cursor, WHITESPACE);
}

/** Steps over `character`, which must come next, and the white space after it. */
function expect(cursor: Cursor, character: string): void {
  if (!stepOver(cursor, character)) throw new NotJson();
  skipWhitespace(cursor);
}

function readValue(cursor: Cursor, depth: number): PythonValue {
  if (depth > MAX_NESTING) throw new NotJson();
  switch (cursor.text[cursor.at]) {
    case '"':
      return readString(cursor);
    case '{':
      return readDict(cursor, depth);
    case '[':
      return readList(cursor, depth);
    default:
      return readConstant(cursor);
  }
}

function readConstant(cursor: Cursor): PythonValue {
  for (const [word, value] of CONSTANTS) {
    if (cursor.text.startsWith(word, cursor.at)) {
      cursor.at += word.length;
      return value;
    }
  }
  const number = match(cursor, NUMBER);
  if (number === null) throw new NotJson();
  const [literal, integer = '', fraction, exponent] = number;
  if (fraction !== undefined || exponent !== undefined) return Number(literal);
  if (integer.length - (integer.startsWith('-') ? 1 : 0) > MAX_INTEGER_DIGITS) throw new NotJson();
  return BigInt(integer);
}

function readDict(cursor: Cursor, depth: number): PythonValue {
  const dict = new Map<string, PythonValue>();
  expect(cursor, '{');
  if (stepOver(cursor, '}')) return dict;
  for (;;) {
    const key = readString(cursor);
    skipWhitespace(cursor);
    expect(cursor, ':');
    dict.set(key, readValue(cursor, depth + 1));
    skipWhitespace(cursor);
    if (stepOver(cursor, '}')) return dict;
    expect(cursor, ',');
  }
}

function readList(cursor: Cursor, depth: number): PythonValue {
  const list: PythonValue[] = [];
  expect(cursor, '[');
  if (stepOver(cursor, ']')) return list;
  for (;;) {
    list.push(readValue(cursor, depth + 1));
    skipWhitespace(cursor);
    if (stepOver(cursor, ']')) return list;
    expect(cursor, ',');
  }
}

function stepOver(cursor: Cursor, character: string): boolean {
  if (cursor.text[cursor.at] !== character) return false;
  cursor.at++;
  return true;
}

function readString(cursor: Cursor): string {
  if (!stepOver(cursor, '"')) throw new NotJson();
  let value = '';
  for (;;) {
    value += match(cursor, PLAIN_CHARACTERS)?.[0] ?? '';
    const stop = cursor.text[cursor.at++];
    if (stop === '"') return value;
    if (stop !== '\\') throw new NotJson();
    value += readEscape(cursor);
  }
}

function readEscape(cursor: Cursor): string {
  const letter = cursor.text[cursor.at++] ?? '';
  if (letter === 'u') {
    const digits = match(cursor, FOUR_HEX_DIGITS);
    if (digits === null) throw new NotJson();
    return String.fromCharCode(Number.parseInt(digits[0], 16));
  }
  const character = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
  if (character === undefined) throw new NotJson();
  return character;
}
