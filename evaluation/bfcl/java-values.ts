import type { PythonValue } from '../../dscl/python-value.ts';
import { float, integer, numberIn, numberOrText } from './python-number.ts';

/** Names of Java types in BFCL's Java questions, and the kind of value that each is read as. */
export const JAVA_TYPES = {
  byte: 'int',
  short: 'int',
  integer: 'int',
  float: 'float',
  double: 'float',
  long: 'int',
  boolean: 'bool',
  char: 'str',
  Array: 'list',
  ArrayList: 'list',
  HashMap: 'dict',
  String: 'str',
  any: 'str',
} as const;

const WHOLE = /^(-?\d+)$/;
const LONG = /^(-?\d+)[lL]$/;
const DOUBLE = /^(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const FLOAT = /^(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)[fF]$/;

const AS_LIST = /new\s+ArrayList<\w*>\(Arrays\.asList\(([^\n]+?)\)\)/;
const ADDED = /new\s+ArrayList<\w*>\(\)\s*\{\{\s*([^]+?)\s*\}\}/;
const EMPTY_LIST = /new\s+ArrayList<\w*>\(\)/;
const ARRAY = /new\s+\w+\[\]\s*\{([^\n]*?)\}/;
const FILLED_MAP = /new\s+HashMap<[^]*?>\s*\(\)\s*\{\s*\{?\s*([^]*?)\s*\}?\s*\}/;
const EMPTY_MAP = /new\s+HashMap<[^\n]*?>\s*\(\)/;

/**
 * The value that a piece of Java source stands for; the source itself where it isn't one of that type. [BFCL]
 * @param elements of a list: the type of its elements, where the question tells it
 */
export function javaValue(source: string, type: string, elements?: string): PythonValue {
  switch (type) {
    case 'byte':
    case 'short':
    case 'integer':
      return numberIn(source, WHOLE, integer);
    case 'long':
      return numberIn(source, LONG, integer);
    case 'float':
      return numberIn(source, FLOAT, float);
    case 'double':
      return numberIn(source, DOUBLE, float);
    case 'boolean':
      return source === 'true' || source === 'false' ? source === 'true' : source;
    case 'Array':
      return arrayValue(source, elements);
    case 'ArrayList':
      return listValue(source, elements);
    case 'HashMap':
      return mapValue(source);
    default:
      return source;
  }
}

function listValue(source: string, elements?: string): PythonValue {
  const given = AS_LIST.exec(source)?.[1]?.split(',');
  const added = ADDED.exec(source)?.[1];
  const parts =
    given ??
    (added === undefined ? undefined : [...added.matchAll(/add\(([^\n]+?)\)/g)].map(captured));
  if (parts === undefined) return EMPTY_LIST.test(source) ? [] : source;
  return parts.map((part) => {
    const text = part.trim();
    return elements === 'char' || elements === 'String'
      ? text.slice(1, -1)
      : elementValue(text, elements);
  });
}

function arrayValue(source: string, elements?: string): PythonValue {
  const inside = ARRAY.exec(source)?.[1];
  if (inside === undefined) return source;
  return inside
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => elementValue(part, elements));
}

function mapValue(source: string): PythonValue {
  const inside = FILLED_MAP.exec(source)?.[1];
  if (inside === undefined) return EMPTY_MAP.test(source) ? new Map() : source;
  return new Map(
    [...inside.matchAll(/put\("([^\n]*?)",\s*([^\n]*?)\)/g)].map(([, key = '', value = '']) => [
      key,
      untypedValue(value.trim()),
    ]),
  );
}

function elementValue(text: string, type?: string): PythonValue {
  return type === undefined ? untypedValue(text) : javaValue(text, type);
}

/** Of a type that nobody tells. */
function untypedValue(text: string): PythonValue {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text.startsWith('"') && text.endsWith('"')) return text.slice(1, -1);
  const long = numberIn(text, LONG, integer);
  if (typeof long !== 'string') return long;
  const short = numberIn(text, FLOAT, float);
  return typeof short === 'string' ? numberOrText(text) : short;
}

function captured([, part = '']: RegExpMatchArray): string {
  return part;
}
