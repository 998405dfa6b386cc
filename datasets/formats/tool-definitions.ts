import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/sample.ts';
import { isRecord, valueFault } from '../ground-truth.ts';
import { isFault, readEach, readOptionalText, type Fault, type Read } from './fields.ts';
import { plainValue, readValue } from './exact-values.ts';
import { flatSchema, standardSchema } from './schema-types.ts';

const NO_PARAMETERS: JsonObject = { type: 'object', properties: {} };

/**
 * Tools in any of the forms that data sets have them: a list or its JSON text; each bare (`{name, description, parameters}`)
 * or wrapped (`{type: "function", function: {…}}`); parameters as JSON Schema, in BFCL's types, or flat as xLAM's. What a
 * definition has besides is left out.
 */
export function readTools(value: unknown, field: string): Read<readonly ToolDefinition[]> {
  const list = readValue(value ?? [], field);
  if (isFault(list)) return list;
  if (!Array.isArray(list.value)) return { field, reason: 'is not a list of tools' };
  return readEach(list.value as readonly unknown[], field, readTool);
}

function readTool(item: unknown, field: string): Read<ToolDefinition> {
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
  const read = readValue(value ?? {}, field);
  if (isFault(read)) return read;
  if (!isRecord(read.value)) return { field, reason: 'is not an object' };
  const problem = valueFault(read.value, 0);
  if (problem !== undefined) return { field, reason: `has ${problem}` } satisfies Fault;
  const given = plainValue(read.value) as JsonObject;
  if (Object.keys(given).length === 0) return { value: NO_PARAMETERS };
  return { value: isSchema(given) ? standardSchema(given) : flatSchema(given) };
}

/** Not a parameter that happens to be called `type`: that would be an object. */
function isSchema({ type, properties }: JsonObject): boolean {
  return typeof type === 'string' || (type === undefined && isPropertyMap(properties));
}

function isPropertyMap(value: JsonValue | undefined): boolean {
  return isRecord(value) && Object.values(value).every(isRecord);
}
