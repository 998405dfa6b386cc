import { withClient } from '../../services/postgres/connection.ts';

/** Wall clock, not results: when something happened, and how long it took. */
export const CLOCK = /(_at|_seconds)$/;

/** Says which artifacts belong to this database, whatever runs do. */
const NOT_OF_RUNS = 'artifact_store';

/**
 * Rows of all tables as text, by table, in a fixed order; without clocks, and with the data folder's path and the run's name taken
 * out. Of tables that belong to runs only this run's.
 */
export async function rowsOfRun(
  databaseUrl: string,
  home: string,
  run: string,
): Promise<Map<string, string[]>> {
  return withClient(databaseUrl, async (client) => {
    const { rows: columns } = await client.query<{ table: string; column: string }>(
      `select c.table_name as table, c.column_name as column
       from information_schema.columns c
       join information_schema.tables t using (table_schema, table_name)
       where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.table_name <> $1
       order by c.table_name, c.ordinal_position`,
      [NOT_OF_RUNS],
    );
    const tables = new Map<string, string[]>();
    for (const table of new Set(columns.map((each) => each.table))) {
      const own = columns.filter((each) => each.table === table).map(({ column }) => column);
      const kept = own.filter((column) => !CLOCK.test(column)).map((column) => `"${column}"::text`);
      const { rows } = await client.query<{ row: string }>(
        `select jsonb_build_array(${kept.join(', ')})::text as row from "${table}"` +
          (own.includes('run') ? ' where run = $1' : ''),
        own.includes('run') ? [run] : [],
      );
      const unnamed = rows.map(({ row }) =>
        row.replaceAll(home, '<home>').replaceAll(run, '<run>'),
      );
      tables.set(table, unnamed.sort());
    }
    return tables;
  });
}
