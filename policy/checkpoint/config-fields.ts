import { ToolsampleError } from '../../contracts/errors.ts';
import { KNOWN_FAMILIES } from '../models/families/known-families.ts';
import { inBrief } from './in-brief.ts';

/** A parsed `config.json`, or an object within it. */
export type ConfigFields = { readonly [field: string]: unknown };

/** What is wrong with a field of `config.json`, and that another checkpoint is the way out. */
export function fieldError(file: string, field: string, problem: string): ToolsampleError {
  return new ToolsampleError('checkpoint', problem, {
    at: { file, field },
    hint: `use another checkpoint of a known architecture: ${knownModelTypes()}`,
  });
}

/** For messages. */
export function knownModelTypes(): string {
  return KNOWN_FAMILIES.map(({ modelType }) => modelType).join(', ');
}

/** An object; empty where there is none. */
export function fieldsOf(value: unknown): ConfigFields {
  return typeof value === 'object' && value !== null ? (value as ConfigFields) : {};
}

// Beyond any real model; keeps products of sizes exact and allocations sane.
const MAX_SIZE = 1 << 24;

/** A positive whole number. @throws ToolsampleError `checkpoint` */
export function count(
  config: ConfigFields,
  field: string,
  file: string,
  fallback?: number,
): number {
  const value = config[field] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_SIZE) {
    return value;
  }
  throw fieldError(file, field, `must be a positive whole number, not ${inBrief(value)}`);
}

/** A positive number. @throws ToolsampleError `checkpoint` */
export function positive(
  config: ConfigFields,
  field: string,
  file: string,
  fallback?: number,
): number {
  const value = config[field] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw fieldError(file, field, `must be a positive number, not ${inBrief(value)}`);
}
