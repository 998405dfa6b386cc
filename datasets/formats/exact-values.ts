import { ExactNumber, type ExactRecord, type ExactValue } from '../../contracts/exact-number.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ToolCall } from '../../contracts/sample.ts';
import { callLine } from '../../contracts/tool-call-text.ts';
import { excerpt, isRecord, valueFault } from '../ground-truth.ts';
import { isFault, readText, type Read } from './fields.ts';
import { NotLiteral, parseLiteral } from './literal.ts';

/** A call with the line of JSON that tells it exactly: {@link ToolCall} has passed through JavaScript's numbers. */
export interface WrittenCall extends ToolCall {
  readonly line: string;
}

/** A text of JSON, or of Python's literals, as a value. */
export function readValueText(text: string, field: string): Read<ExactValue> {
  try {
    return { value: parseLiteral(text) };
  } catch (error) {
    if (!(error instanceof NotLiteral)) throw error;
    return { field, reason: `is not JSON: ${error.message}` };
  }
}

/** A value that is there as it is, or as a text of JSON: data sets have both. */
export function readValue(value: unknown, field: string): Read<ExactValue> {
  if (typeof value !== 'string') return { value: value as ExactValue };
  const text = readText(value, field);
  return isFault(text) ? text : readValueText(text.value, field);
}

/**
 * A call from an object with a `name` and `arguments` (or `parameters`), which may be missing where there are none, and may
 * be a text of JSON.
 */
export function readCall(value: unknown, field: string): Read<WrittenCall> {
  if (!isRecord(value)) return { field, reason: 'is not an object with a "name" and "arguments"' };
  const name = value['name'];
  if (typeof name !== 'string' || name === '')
    return { field, reason: 'is a call without a "name"' };
  const given = value['arguments'] ?? value['parameters'] ?? {};
  const read = readValue(given === '' ? {} : given, `${field}.arguments`);
  return isFault(read) ? read : writtenCall(name, read.value, field);
}

/** A call of a tool with these arguments. */
export function writtenCall(name: string, given: unknown, field: string): Read<WrittenCall> {
  if (!isRecord(given))
    return { field, reason: `calls "${excerpt(name)}" with arguments that are no object` };
  const fault = valueFault({ [name]: given }, 0);
  if (fault !== undefined) return { field, reason: `has ${fault}` };
  const parameters = given as ExactRecord;
  return {
    value: {
      name,
      parameters: plainValue(parameters) as JsonObject,
      line: callLine({ name, parameters }),
    },
  };
}

/** The value with JavaScript's numbers. Only for values whose depth is known. */
export function plainValue(value: ExactValue | JsonValue): JsonValue {
  if (value instanceof ExactNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(plainValue);
  if (!isRecord(value)) return value as JsonValue;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, plainValue(part as ExactValue)]),
  );
}
