import type { Client } from 'pg';
import { CLOCK } from '../../chaos/run-rows.ts';

/** What differs between a run and its fork by their nature. */
const OF_A_FORK = ['fork_of', 'fork_step'];

/**
 * Rows of a run by table, in a fixed order, such that a fork can be compared with its parent: without clocks, the run's name, and where
 * it comes from.
 */
export async function comparableRows(
  client: Pick<Client, 'query'>,
  run: string,
): Promise<Map<string, string[]>> {
  const { rows: tables } = await client.query<{ table: string }>(
    `select c.table_name as table from information_schema.columns c
     join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.column_name = 'run' order by 1`,
  );
  const found = new Map<string, string[]>();
  for (const { table } of tables) {
    const { rows } = await client.query<{ row: { [column: string]: unknown } }>(
      `select to_jsonb(t) as row from "${table}" t where run = $1`,
      [run],
    );
    const kept = rows
      .map(({ row }) => row)
      .filter((row) => table !== 'events' || row['kind'] !== 'forked')
      .map((row) => Object.entries(row).filter(([column]) => !OF_A_FORK.includes(column)))
      .map((row) => row.filter(([column]) => !CLOCK.test(column)));
    found.set(
      table,
      kept.map((row) => JSON.stringify(Object.fromEntries(row)).replaceAll(run, '<run>')).sort(),
    );
  }
  return found;
}
