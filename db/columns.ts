import { sql, type SQL } from 'drizzle-orm';
import { bigint, check, customType, type AnyPgColumn } from 'drizzle-orm/pg-core';

/** Text that Postgres accepts: it refuses NUL and lone surrogates, and models emit both. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '').replaceAll(/\p{Surrogate}/gu, '\u{FFFD}');
}

/** A value as JSON that Postgres accepts; the same repairs as {@link storableText}, inside of strings too. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'string' ? storableText(part) : part,
  );
}

/** A `text` column whose values are made storable on write. */
export const text = customType<{ data: string; driverData: string }>({
  dataType: () => 'text',
  toDriver: storableText,
});

/** A `json` column: kept as written, so that the order of keys survives (`jsonb` sorts them). */
export const json = customType<{ data: unknown; driverData: unknown }>({
  dataType: () => 'json',
  toDriver: storableJson,
});

/** A `bigint` column for counts that stay below 2^53. */
export const count = (name: string) => bigint(name, { mode: 'number' });

/** A check that a text column holds one of a closed list. */
export function oneOf(name: string, column: AnyPgColumn, values: readonly string[]) {
  const list: SQL = sql.raw(values.map((value) => `'${value}'`).join(', '));
  return check(name, sql`${column} in (${list})`);
}
