import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import { spacedJson } from '../../contracts/tool-call-text.ts';
import { languageOf, type BfclCategory, type BfclLanguage } from './categories.ts';

/*
 * The functions of a question as the official harness hands them to a server of OpenAI's interface. The notes are its own words (the package
 * bfcl-eval, Apache-2.0), part of what is measured: a policy that is shown others gets another score.
 */

const LANGUAGE_NOTES: { readonly [language in BfclLanguage]: string } = {
  python: ' Note that the provided function is in Python 3 syntax.',
  java: ' Note that the provided function is in Java 8 SDK syntax.',
  javascript: ' Note that the provided function is in JavaScript syntax.',
};
const FLOAT_NOTE = ' This is a float type value.';
const SOURCE_NAMES = { java: 'Java', javascript: 'JavaScript' } as const;

/** BFCL's names of types by JSON Schema's; any other is a string. [BFCL] */
const TYPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    integer: ['integer', 'byte', 'short', 'long', 'Bigint'],
    number: ['number', 'float', 'double'],
    boolean: ['boolean', 'bool'],
    array: ['array', 'list', 'tuple', 'ArrayList', 'Array', 'Queue', 'Stack'],
    object: ['dict', 'object', 'HashMap', 'Hashtable'],
  }).flatMap(([type, names]) => names.map((name): [string, string] => [name, type])),
);

/** Deeper schemas stay as they are; BFCL's have five levels. */
const MAX_DEPTH = 32;

/**
 * Definitions of the functions in OpenAI's form: types by JSON Schema's names, dots in names as underscores, parameters in Java and
 * JavaScript as pieces of source.
 */
export function offeredFunctions(
  functions: readonly JsonObject[],
  category: BfclCategory,
): readonly JsonObject[] {
  const language = languageOf(category);
  return functions.map((given) => {
    const parameters = objectOf(given['parameters']);
    const written = objectOf(parameters['properties']);
    const properties = language === 'python' ? written : asSource(written, language);
    return {
      ...given,
      name: textOf(given['name']).replaceAll('.', '_'),
      description: textOf(given['description']) + LANGUAGE_NOTES[language],
      parameters: { ...parameters, type: 'object', properties: withTypes(properties, 0) },
    };
  });
}

/** Parameters of another language are asked for as texts, and say what they would be. */
function asSource(properties: JsonObject, language: keyof typeof SOURCE_NAMES): JsonObject {
  const name = SOURCE_NAMES[language];
  return mapped(properties, (schema) => {
    const type = textOf(schema['type']);
    const { items, properties: fields, ...rest } = schema;
    const notes = [
      type === 'any'
        ? ` This parameter can be of any type of ${name} object in string representation.`
        : ` This is ${name} ${type} type parameter in string representation.`,
    ];
    const isList = language === 'java' ? /^(ArrayList|Array)$/.test(type) : type === 'array';
    const isDict = language === 'javascript' && type === 'dict' && fields !== undefined;
    if (isList) {
      const elements = textOf(objectOf(items)['type']);
      notes.push(
        ` The list elements are of type ${elements}; they are not in string representation.`,
      );
    }
    if (isDict) {
      notes.push(
        ` The dictionary entries have the following schema; they are not in string representation. ${spacedJson(fields)}`,
      );
    }
    return {
      ...rest,
      ...(items === undefined || isList ? {} : { items }),
      ...(fields === undefined || isDict ? {} : { properties: fields }),
      description: textOf(schema['description']) + notes.join(''),
      type: 'string',
    };
  });
}

function withTypes(properties: JsonObject, depth: number): JsonObject {
  if (depth > MAX_DEPTH) return properties;
  return mapped(properties, (schema) => {
    const isFloat = schema['type'] === 'float';
    const described = isFloat
      ? { ...schema, format: 'float', description: textOf(schema['description']) + FLOAT_NOTE }
      : schema;
    return inside(withType(described), depth);
  });
}

/** The schema with the types of what it holds: fields, else elements, and one level of elements of those. */
function inside(schema: JsonObject, depth: number): JsonObject {
  const { type, properties, items } = schema;
  if (type !== 'array' && type !== 'object') return schema;
  if (properties !== undefined) {
    return { ...schema, properties: withTypes(objectOf(properties), depth + 1) };
  }
  if (items === undefined) return schema;
  const elements = withType(objectOf(items));
  if (elements['type'] === 'array' && elements['items'] !== undefined) {
    return { ...schema, items: { ...elements, items: withType(objectOf(elements['items'])) } };
  }
  if (elements['type'] === 'object' && elements['properties'] !== undefined) {
    const fields = withTypes(objectOf(elements['properties']), depth + 1);
    return { ...schema, items: { ...elements, properties: fields } };
  }
  return { ...schema, items: elements };
}

function withType(schema: JsonObject): JsonObject {
  return { ...schema, type: TYPES.get(textOf(schema['type'])) ?? 'string' };
}

function mapped(schemas: JsonObject, change: (schema: JsonObject) => JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, change(objectOf(schema))]),
  );
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {};
}
