import type { ExactRecord } from '../../contracts/exact-number.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { isRecord, valueFault } from '../ground-truth.ts';
import { plainValue } from './exact-values.ts';
import { readEach, type Read } from './fields.ts';

/** Allowed values by parameter, as in BFCL's answers; `""` in a list marks the parameter optional. */
export type AllowedValues = { readonly [parameter: string]: readonly JsonValue[] };

export function readAllowed(value: unknown, field: string): Read<AllowedValues> {
  if (!isRecord(value)) return { field, reason: 'is not {parameter: [allowed values]}' };
  const fault = valueFault(value, 0);
  if (fault !== undefined) return { field, reason: `has ${fault}` };
  return Object.values(value).every(Array.isArray)
    ? { value: plainValue(value as ExactRecord) as AllowedValues }
    : { field, reason: 'has a parameter without a list of allowed values' };
}

/** Allowed values of several calls. */
export function readAllowedValues(value: unknown, field: string): Read<readonly AllowedValues[]> {
  if (!Array.isArray(value)) return { field, reason: 'is not a list' };
  return readEach(value as readonly unknown[], field, readAllowed);
}
