import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import { isRecord } from '../ground-truth.ts';

/** Types as data sets name them (Python's, Java's, JavaScript's, BFCL's own), as JSON Schema names them. */
const TYPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    string: ['string', 'str', 'char', 'text'],
    integer: ['integer', 'int', 'long', 'short', 'byte', 'bigint'],
    number: ['number', 'float', 'double', 'decimal'],
    boolean: ['boolean', 'bool'],
    array: ['array', 'list', 'tuple', 'set', 'arraylist', 'queue', 'stack', 'sequence', 'iterable'],
    object: ['object', 'dict', 'map', 'hashmap', 'hashtable', 'mapping'],
    null: ['null'],
  }).flatMap(([type, names]) => names.map((name): [string, string] => [name, type])),
);

/** Keywords whose value is a schema, a list of schemas, or schemas by name. */
const INSIDE = {
  one: ['items', 'additionalProperties', 'not'],
  list: ['anyOf', 'oneOf', 'allOf'],
  named: ['properties', '$defs', 'definitions'],
} as const;

/**
 * A schema with JSON Schema's names of types, throughout; where a type has no counterpart (`any`, a class), it is left out,
 * so that any value will do. Everything else stays as it is. Only for values whose depth is known.
 */
export function standardSchema(schema: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]): [string, JsonValue][] => {
      if (key === 'type' && typeof value === 'string') {
        const type = standardType(value);
        return type === undefined ? [] : [[key, type]];
      }
      if (key === 'type' && Array.isArray(value)) {
        const types = value.map((each) =>
          typeof each === 'string' ? standardType(each) : undefined,
        );
        return types.includes(undefined) ? [] : [[key, types as readonly string[]]];
      }
      return [[key, standardPart(key, value)]];
    }),
  );
}

const standardType = (name: string): string | undefined => TYPES.get(name.trim().toLowerCase());

function standardPart(key: string, value: JsonValue): JsonValue {
  if (includes(INSIDE.one, key)) return standardValue(value);
  if (includes(INSIDE.list, key) && Array.isArray(value)) return value.map(standardValue);
  if (!includes(INSIDE.named, key) || !isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inside]) => [name, standardValue(inside)]),
  );
}

const standardValue = (value: JsonValue): JsonValue =>
  isObject(value) ? standardSchema(value) : value;

const includes = (names: readonly string[], name: string): boolean => names.includes(name);

function isObject(value: JsonValue): value is JsonObject {
  return isRecord(value);
}

/**
 * The schema of xLAM's flat parameters, `{name: {type: "List[str], optional", description, default}}`: what is neither
 * optional nor has a default is required.
 */
export function flatSchema(parameters: { readonly [name: string]: JsonObject }): JsonObject {
  const required: string[] = [];
  const properties = Object.entries(parameters).map(([name, value]): [string, JsonValue] => {
    const { type: written, ...further } = value;
    const rest = standardSchema(Array.isArray(written) ? { type: written, ...further } : further);
    const { type, optional } = pythonType(typeof written === 'string' ? written : '');
    if (!optional && !('default' in rest)) required.push(name);
    return [name, { ...type, ...rest }];
  });
  return { type: 'object', properties: Object.fromEntries(properties), required };
}

/** Longer texts name no type. */
const MAX_TYPE = 200;

/** `Optional[List[int]]` or `List[int], optional` as a schema. */
function pythonType(text: string): { readonly type: JsonObject; readonly optional: boolean } {
  const written = text.length > MAX_TYPE ? '' : text;
  const [first = '', ...marks] = written.split(/,(?![^[]*\])/u).map((part) => part.trim());
  const inner = /^optional\[(.*)\]$/iu.exec(first)?.[1];
  const [outer = '', item] = (inner ?? first).split('[', 2);
  const type = TYPES.get(outer.trim().toLowerCase());
  const items =
    item === undefined ? undefined : TYPES.get(item.replace(/\].*$/u, '').toLowerCase());
  return {
    type: {
      ...(type === undefined ? {} : { type }),
      ...(type === 'array' && items !== undefined ? { items: { type: items } } : {}),
    },
    optional: inner !== undefined || marks.some((mark) => mark.toLowerCase() === 'optional'),
  };
}
