import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/sample.ts';
import { isRecord, valueFault } from '../ground-truth.ts';
import { isFault, readEach, readOptionalText, type Read } from './fields.ts';
import { plainValue, readValue } from './exact-values.ts';
import { flatSchema, standardSchema } from './schema-types.ts';

const NO_PARAMETERS: JsonObject = { type: 'object', properties: {} };

/**
 * Tools in any of the forms that data sets have them: a list or its JSON text, a blank one for none; each bare (`{name,
 * description, parameters}`), wrapped (`{type: "function", function: {…}}`) or a JSON text of that; parameters as JSON Schema,
 * in BFCL's types, or flat as xLAM's. What a definition has besides is left out.
 */
export function readTools(value: unknown, field: string): Read<readonly ToolDefinition[]> {
  const list = readValue(isBlank(value) ? [] : (value ?? []), field);
  if (isFault(list)) return list;
  if (!Array.isArray(list.value)) return { field, reason: 'is not a list of tools' };
  return readEach(list.value as readonly unknown[], field, readTool);
}

const isBlank = (value: unknown): boolean => typeof value === 'string' && value.trim() === '';

function readTool(given: unknown, field: string): Read<ToolDefinition> {
  const read = readValue(given, field);
  if (isFault(read)) return read;
  const item: unknown = read.value;
  const wrapped = isRecord(item) ? item['function'] : undefined;
  const tool = isRecord(wrapped) ? wrapped : item;
  if (!isRecord(tool)) return { field, reason: 'is not the definition of a tool' };
  const name = readOptionalText(tool['name'], `${field}.name`);
  if (isFault(name)) return name;
  if (name.value === '') return { field, reason: 'is a tool without a "name"' };
  const description = readOptionalText(tool['description'], `${field}.description`);
  if (isFault(description)) return description;
  const parameters = readParameters(tool['parameters'], `${field}.parameters`);
  if (isFault(parameters)) return parameters;
  return {
    value: { name: name.value, description: description.value, parameters: parameters.value },
  };
}

function readParameters(value: unknown, field: string): Read<JsonObject> {
  const read = readValue(isBlank(value) ? {} : (value ?? {}), field);
  if (isFault(read)) return read;
  if (!isRecord(read.value)) return { field, reason: 'is not an object' };
  const problem = valueFault(read.value, 0);
  if (problem !== undefined) return { field, reason: `has ${problem}` };
  const given = plainValue(read.value) as JsonObject;
  if (Object.keys(given).length === 0) return { value: NO_PARAMETERS };
  if (!isFlat(given) && isSchema(given)) return { value: standardSchema(given) };
  // Parameters that tell nothing of themselves take any value.
  if (isParameters(given)) return { value: flatSchema(given) };
  const forms = 'a JSON Schema nor {name: {"type": …, "description": …}} for each parameter';
  return { field, reason: `is neither ${forms}` };
}

function isParameters(value: JsonObject): value is { readonly [name: string]: JsonObject } {
  return Object.values(value).every(isRecord);
}

/** Parameters by name, each of which tells what it is: they may be called `type` or `properties`. */
function isFlat(given: JsonObject): boolean {
  return (
    !('additionalProperties' in given) &&
    Object.values(given).every(
      (each) =>
        isRecord(each) &&
        (typeof each['type'] === 'string' || typeof each['description'] === 'string'),
    )
  );
}

const isText = (value: JsonValue): boolean => typeof value === 'string';
const isSubschema = (value: JsonValue): boolean => typeof value === 'boolean' || isRecord(value);
const isSubschemas = (value: JsonValue): boolean =>
  isRecord(value) && Object.values(value).every(isSubschema);

/** Keywords of JSON Schema that a schema of parameters may have at its top, and what tells them from parameters called so. */
const KEYWORDS: ReadonlyMap<string, (value: JsonValue) => boolean> = new Map([
  ...['$schema', '$id', '$ref', '$comment', 'title', 'description'].map(
    (key) => [key, isText] as const,
  ),
  ...['anyOf', 'oneOf', 'allOf', 'enum', 'required'].map((key) => [key, Array.isArray] as const),
  ...['properties', 'patternProperties', '$defs', 'definitions'].map(
    (key) => [key, isSubschemas] as const,
  ),
  ['type', (value) => isText(value) || Array.isArray(value)],
  ['additionalProperties', isSubschema],
]);

function isSchema(given: JsonObject): boolean {
  return Object.entries(given).some(([key, value]) => KEYWORDS.get(key)?.(value) === true);
}
