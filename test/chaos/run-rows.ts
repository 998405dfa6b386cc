import { Client } from 'pg';

/** Wall clock, not results: when something happened, and how long it took. */
const CLOCK = /(_at|_seconds)$/;

/** All rows of all tables as text, by table, in a fixed order; without clocks, and with the data folder's path taken out. */
export async function allRows(databaseUrl: string, home: string): Promise<Map<string, string[]>> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows: columns } = await client.query<{ table: string; column: string }>(
      `select c.table_name as table, c.column_name as column
       from information_schema.columns c
       join information_schema.tables t using (table_schema, table_name)
       where c.table_schema = 'public' and t.table_type = 'BASE TABLE'
       order by c.table_name, c.ordinal_position`,
    );
    const tables = new Map<string, string[]>();
    for (const table of new Set(columns.map((each) => each.table))) {
      const kept = columns
        .filter((each) => each.table === table && !CLOCK.test(each.column))
        .map(({ column }) => `"${column}"::text`);
      const { rows } = await client.query<{ row: string }>(
        `select jsonb_build_array(${kept.join(', ')})::text as row from "${table}"`,
      );
      tables.set(table, rows.map(({ row }) => row.replaceAll(home, '<home>')).sort());
    }
    return tables;
  } finally {
    await client.end();
  }
}
