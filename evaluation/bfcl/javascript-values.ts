import type { PythonValue } from '../../dscl/python-value.ts';
import { float, integer, numberIn, numberOrText } from './python-number.ts';

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
  /^(?:\[\s*\[[^\n]*?\]\s*(,\s*\[[^\n]*?\]\s*)*\]|\bnew\s+Array\(\s*\[[^\n]*?\]\s*(,\s*\[[^\n]*?\]\s*)*\))/;
const ARRAY = /^(?:\[([^\n]*?)\]|\bnew\s+Array\(([^\n]*?)\))/;
const OBJECT = /^\{([^\n]*?)\}/;
const PAIR = /([^:]+):\s*([^\n]*?)(?:,\s*(?=[^,]+:)|$)/g;

/**
 * The value that a piece of JavaScript source stands for; the source itself where it isn't one of that type. [BFCL]
 * @param elements of an array: the type of its elements, where the question tells it
 */
export function javascriptValue(source: string, type: string, elements?: string): PythonValue {
  switch (type) {
    case 'String':
      return isQuoted(source) ? source.slice(1, -1) : source;
    case 'integer':
      return numberIn(source, /^(-?\d+)$/, integer);
    case 'float':
      return numberIn(source, /^(-?\d+(?:\.\d+)?)$/, float);
    case 'Bigint':
      return numberIn(source, /^(-?\d+)n$/, integer);
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
  return [...rows.matchAll(/\[([^\n]*?)\]/g)].map(([, row = ''], i) => {
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
