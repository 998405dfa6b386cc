import type { ChatMessage } from '../../contracts/sample.ts';
import { isRecord, textFault } from '../ground-truth.ts';

/** A field that cannot be used, and why. */
export interface Fault {
  readonly field?: string;
  readonly reason: string;
}

/** A field's value, or why it has none. Readers never throw: rows are untrusted. */
export type Read<T> = { readonly value: T } | Fault;

export const isFault = (read: object): read is Fault => 'reason' in read;

/** Longer texts are no task for a policy; in UTF-16 units. */
const MAX_TEXT = 1 << 20;

/** A text that is there. */
export function readText(value: unknown, field: string): Read<string> {
  if (value === undefined || value === null) return { field, reason: 'is missing' };
  if (typeof value !== 'string') return { field, reason: `is ${typeof value}, not text` };
  if (value.length > MAX_TEXT) return { field, reason: `is longer than ${MAX_TEXT} characters` };
  const fault = textFault(value);
  return fault === undefined ? { value } : { field, reason: `has ${fault}` };
}

/** A text that may be missing or null: then it is empty. */
export function readOptionalText(value: unknown, field: string): Read<string> {
  return value === undefined || value === null ? { value: '' } : readText(value, field);
}

/** A list of objects with at least one in it. */
export function readRecords(
  value: unknown,
  field: string,
): Read<readonly { readonly [key: string]: unknown }[]> {
  if (value === undefined || value === null) return { field, reason: 'is missing' };
  if (!Array.isArray(value) || value.length === 0)
    return { field, reason: 'is not a list of objects' };
  const items = value as readonly unknown[];
  const wrong = items.findIndex((item) => !isRecord(item));
  return wrong < 0
    ? { value: items as readonly { readonly [key: string]: unknown }[] }
    : { field: `${field}[${wrong}]`, reason: 'is not an object' };
}

/** Each item of a list, or the fault of the first one that has one. */
export function readEach<I, T>(
  items: readonly I[],
  field: string,
  read: (item: I, field: string) => Read<T>,
): Read<readonly T[]> {
  const values: T[] = [];
  for (const [i, item] of items.entries()) {
    const value = read(item, `${field}[${i}]`);
    if (isFault(value)) return value;
    values.push(value.value);
  }
  return { value: values };
}

const ROLES = ['system', 'user', 'assistant', 'tool'] as const;

/** A chat message of nothing but a role and a text. */
export function readMessage(item: unknown, field: string): Read<ChatMessage> {
  if (!isRecord(item)) return { field, reason: 'is not a chat message' };
  const role = ROLES.find((known) => known === item['role']);
  if (role === undefined)
    return { field: `${field}.role`, reason: `is none of ${ROLES.join(', ')}` };
  const content = readText(item['content'], `${field}.content`);
  return isFault(content) ? content : { value: { role, content: content.value } };
}
