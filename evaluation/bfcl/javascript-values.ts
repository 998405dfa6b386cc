import type { PythonValue } from '../../dscl/python-value.ts';
import { float, integer, numberOrText } from './python-number.ts';

/** Names of types in BFCL's JavaScript questions, and the kind of value that each is read as. */
export const JAVASCRIPT_TYPES = {
  String: 'str',
  integer: 'int',
  float: 'float',
  Bigint: 'int',
  Boolean: 'bool',
  dict: 'dict',
  array: 'list',
  any: 'str',
} as const;

const MATRIX =
  /^(?:\[\s*\[.*?\]\s*(,\s*\[.*?\]\s*)*\]|\bnew\s+Array\(\s*\[.*?\]\s*(,\s*\[.*?\]\s*)*\))/;
const ARRAY = /^(?:\[(.*?)\]|\bnew\s+Array\((.*?)\))/;
const OBJECT = /^\{(.*?)\}/;
const PAIR = /([^:]+):\s*(.*?)(?:,\s*(?=[^,]+:)|$)/g;

/**
 * The value that a piece of JavaScript source stands for; the source itself where it isn't one of that type. [BFCL]
 * @param elements of an array: the type of its elements, where the question tells it
 */
export function javascriptValue(source: string, type: string, elements?: string): PythonValue {
  switch (type) {
    case 'String':
      return isQuoted(source) ? source.slice(1, -1) : source;
    case 'integer':
      return /^-?\d+$/.test(source) ? integer(source) : source;
    case 'float':
      return /^-?\d+(\.\d+)?$/.test(source) ? float(source) : source;
    case 'Bigint':
      return /^-?\d+n$/.test(source) ? integer(source.slice(0, -1)) : source;
    case 'Boolean':
      return source === 'true' || source === 'false' ? source === 'true' : source;
    case 'dict':
      return objectValue(source.trim());
    case 'array':
      return arrayValue(source.trim(), elements);
    default:
      return source;
  }
}

function arrayValue(code: string, elements?: string): PythonValue {
  const rows = MATRIX.exec(code)?.[0];
  if (rows !== undefined) return matrixValue(rows);
  const found = ARRAY.exec(code);
  if (found === null) return code;
  const inside = (found[1] ?? found[2] ?? '').trim();
  if (inside === '') return [];
  return inside
    .split(',')
    .map((part) => part.trim())
    .map((part) =>
      elements === undefined ? untypedValue(part) : javascriptValue(part, elements, undefined),
    );
}

function matrixValue(rows: string): PythonValue {
  return [...rows.matchAll(/\[(.*?)\]/g)].map(([, row = ''], i) => {
    const text = row.trim();
    const inside = i === 0 && text.startsWith('[') ? text.slice(1) : text;
    return inside.split(',').map((part) => untypedValue(part));
  });
}

function objectValue(code: string): PythonValue {
  if (code === '{}') return new Map();
  const inside = OBJECT.exec(code)?.[1];
  if (inside === undefined) return code;
  return new Map(
    [...inside.matchAll(PAIR)].map(([, key = '', value = '']) => [
      withoutQuotes(key.trim()),
      entryValue(value.trim()),
    ]),
  );
}

function entryValue(text: string): PythonValue {
  if (text.startsWith('[') && text.endsWith(']')) return arrayValue(text);
  if (text.startsWith('{') && text.endsWith('}')) return objectValue(text);
  return untypedValue(withoutQuotes(text));
}

/** Of a type that nobody tells. */
function untypedValue(source: string): PythonValue {
  const text = source.trim();
  if (text === 'true' || text === 'false') return text === 'true';
  return isQuoted(text) ? text.slice(1, -1) : numberOrText(text);
}

function isQuoted(text: string): boolean {
  return ['"', "'"].some((quote) => text.startsWith(quote) && text.endsWith(quote));
}

function withoutQuotes(text: string): string {
  return text.replace(/^["']+|["']+$/g, '');
}
