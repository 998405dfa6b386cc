import { getTableColumns, getTableName, sql, type SQL } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from './connection.ts';

/**
 * Inserts any number of rows with one array parameter a column (`unnest`): a statement takes 65,535 parameters at
 * most, and one per value would soon reach that. Rows whose key exists already are left as they are.
 *
 * @param into the name of another table with the same columns (a temporary one)
 */
export async function insertRows<T extends PgTable>(
  db: Database,
  table: T,
  rows: readonly T['$inferInsert'][],
  into: string = getTableName(table),
): Promise<void> {
  if (rows.length === 0) return;
  const { names, arrays } = columnArrays(table, rows);
  await db.execute(sql`
    insert into ${sql.identifier(into)} (${names}) select * from unnest(${arrays})
    on conflict do nothing`);
}

/** The columns that the first row has: their names, and their values as one array parameter each. */
export function columnArrays<T extends PgTable>(
  table: T,
  rows: readonly T['$inferInsert'][],
): { readonly names: SQL; readonly arrays: SQL } {
  const columns = Object.entries(getTableColumns(table)).filter(([key]) => key in (rows[0] ?? {}));
  const arrays = columns.map(([key, column]) => {
    const values = rows.map((row) => {
      const value: unknown = (row as { readonly [key: string]: unknown })[key];
      return value === null || value === undefined ? null : column.mapToDriverValue(value);
    });
    return sql`${sql.param(values)}::${sql.raw(column.getSQLType())}[]`;
  });
  return {
    names: sql.join(
      columns.map(([, column]) => sql.identifier(column.name)),
      sql`, `,
    ),
    arrays: sql.join(arrays, sql`, `),
  };
}
