import type { z } from 'zod';
import { checkValue } from '../contracts/checked-value.ts';
import { jsonExtent } from '../contracts/json-extent.ts';
import { ApiError } from './api-error.ts';

/** Deeper bodies are refused before they are read. */
const MAX_DEPTH = 100;

/**
 * A request's body as the schema has it.
 * @throws ApiError 400 that names the field
 */
export function readBody<T>(text: string, schema: z.ZodType<T>): T {
  if (jsonExtent(text).depth > MAX_DEPTH) {
    throw new ApiError(400, `the body nests deeper than ${MAX_DEPTH} levels`);
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ApiError(400, 'the body is not JSON');
  }
  const read = checkValue(schema, body);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = fieldName(issue?.path ?? []);
  const problem = issue?.message ?? 'is not usable';
  throw badField(field, field === null ? `the body ${problem}` : problem);
}

/** A field that cannot be used. */
export function badField(param: string | null, problem: string, code?: string): ApiError {
  const message = param === null ? problem : `${param}: ${problem}`;
  return new ApiError(400, message, { param, ...(code === undefined ? {} : { code }) });
}

/** `stop[1]`, `tool_choice.function.name`; null: the body as a whole. */
function fieldName(path: readonly PropertyKey[]): string | null {
  const name = path.reduce<string>(
    (text, part) =>
      typeof part === 'number'
        ? `${text}[${part}]`
        : `${text}${text === '' ? '' : '.'}${String(part)}`,
    '',
  );
  return name === '' ? null : name;
}
