import type { ExactValue } from '../../contracts/exact-number.ts';
import { isFault, type Read } from './fields.ts';
import { writtenCall, type WrittenCall } from './exact-values.ts';
import {
  NotLiteral,
  readLiteral,
  skipSpace,
  stepOver,
  unexpected,
  type LiteralCursor,
} from './literal.ts';

/** Longer names are no names. */
const MAX_NAME = 1000;

const KEY = /[^=,()[\]{}"']+/y;

/** A call or a part of one at the beginning: `[name()`, `[name(key=`, or `[name(` and no more. */
const BEGINS =
  /^\[\s*[^\s()[\]{}"'=,][^()[\]{}"'=,]*\((?:\s*\)|[^=,()[\]{}"']+=|[^=,()[\]{}"']*$)/u;
/** Whatever else ends like calls. */
const ENCLOSED = { begin: /^\[\s*[^\s()[\]]/u, end: /\)\s*\]$/u } as const;

/**
 * ToolACE's calls, `[Func Name(a=1, b="x"), other.func()]`: names hold spaces, dots and dashes, values are Python's.
 *
 * @returns undefined where the text does not look like calls, cut short or followed by something: then it is an answer in words
 */
export function readCallExpressions(
  text: string,
  field: string,
): Read<readonly WrittenCall[]> | undefined {
  const trimmed = text.trim();
  const isEnclosed =
    ENCLOSED.begin.test(trimmed.slice(0, 200)) && ENCLOSED.end.test(trimmed.slice(-200));
  if (!isEnclosed && !BEGINS.test(trimmed)) return undefined;
  const cursor = { text: trimmed, at: 1 };
  const calls: WrittenCall[] = [];
  try {
    do {
      const name = readName(cursor);
      const call = writtenCall(name, readArguments(cursor), field);
      if (isFault(call)) return call;
      calls.push(call.value);
    } while (stepOver(cursor, ','));
    if (!stepOver(cursor, ']')) throw unexpected(cursor, '"]"');
    if (cursor.at < trimmed.length) throw unexpected(cursor, 'nothing more');
  } catch (error) {
    if (!(error instanceof NotLiteral)) throw error;
    return { field, reason: `has calls that cannot be read: ${error.message}` };
  }
  return { value: calls };
}

function readName(cursor: LiteralCursor): string {
  skipSpace(cursor);
  const open = cursor.text.slice(cursor.at, cursor.at + MAX_NAME).indexOf('(');
  const name = cursor.text.slice(cursor.at, cursor.at + Math.max(open, 0)).trim();
  if (name === '' || /[[\]{}"'=]/u.test(name))
    throw unexpected(cursor, 'the name of a tool and "("');
  cursor.at += open + 1;
  return name;
}

function readArguments(cursor: LiteralCursor): { readonly [key: string]: ExactValue } {
  const fields: [string, ExactValue][] = [];
  while (!stepOver(cursor, ')')) {
    KEY.lastIndex = cursor.at;
    const key = KEY.exec(cursor.text)?.[0] ?? '';
    if (key.trim() === '') throw unexpected(cursor, 'a parameter');
    cursor.at += key.length;
    if (!stepOver(cursor, '=')) throw unexpected(cursor, '"="');
    fields.push([key.trim(), readLiteral(cursor, 1)]);
    if (stepOver(cursor, ',')) continue;
    if (stepOver(cursor, ')')) break;
    throw unexpected(cursor, '"," or ")"');
  }
  return Object.fromEntries(fields);
}
