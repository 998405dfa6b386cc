import { types, type Client, type QueryArrayResult } from 'pg';
import { ToolsampleError } from '../../contracts/errors.ts';
import { withClient } from '../../services/postgres/connection.ts';
import { ensureDatabaseOnly } from '../../services/services.ts';
import type { CommandContext } from '../program.ts';
import { printable, table } from '../render/text.ts';

/** Rows that are shown as a table; `--json` prints all. */
const MAX_ROWS = 1000;

/** `toolsample sql [QUERY]`: the connection string, or the rows of one read-only statement. */
export async function sql(
  { terminal, home, json }: CommandContext,
  query: string | undefined,
): Promise<void> {
  const { databaseUrl } = await ensureDatabaseOnly({
    home,
    log: (message) => terminal.note(message),
  });
  if (query === undefined) {
    terminal.print(json ? JSON.stringify({ databaseUrl }, null, 2) : databaseUrl);
    return;
  }
  const result = await withClient(databaseUrl, async (client) => readOnly(client, query));
  const columns = result.fields.map(({ name }) => name);
  if (json) {
    terminal.print(
      JSON.stringify(
        result.rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]]))),
        null,
        2,
      ),
    );
    return;
  }
  const rows = result.rows.slice(0, MAX_ROWS).map((row) => row.map(cell));
  for (const line of table(columns, rows, { paint: terminal.paint, left: textColumns(result) }))
    terminal.print(line);
  const more = result.rows.length - rows.length;
  terminal.print(
    terminal.paint.dim(`${result.rows.length} rows${more > 0 ? `, ${more} not shown` : ''}`),
  );
}

/** One statement, in a transaction that cannot write. The extended protocol takes no second statement. */
async function readOnly(client: Client, query: string): Promise<QueryArrayResult<unknown[]>> {
  await client.query('begin read only');
  try {
    return await client.query<unknown[]>({
      text: query,
      rowMode: 'array',
      queryMode: 'extended',
      types: { getTypeParser },
    } as { text: string; rowMode: 'array' });
  } catch (error) {
    const { code, position } = error as { code?: string; position?: string };
    // Classes 53, 57 and 58: the server's own troubles, not the statement's.
    if (code === undefined || /^(53|57|58)/.test(code)) throw error;
    throw new ToolsampleError('config', error instanceof Error ? error.message : String(error), {
      at: { field: 'query' },
      ...(position === undefined
        ? {}
        : { hint: `look near "${query.slice(Number(position) - 1, Number(position) + 19)}"` }),
      cause: error,
    });
  }
}

const INT8 = 20;
const NUMERIC = 1700;
/** pg declares its ids as an enumeration; a server knows more of them. */
const usualParser: (oid: number, format: 'text') => unknown = types.getTypeParser;

/** 64-bit integers and numerics as numbers, where a number can hold them; the rest as pg does it. */
function getTypeParser(oid: number): unknown {
  if (oid !== INT8 && oid !== NUMERIC) return usualParser(oid, 'text');
  return (text: string) => (String(Number(text)) === text ? Number(text) : text);
}

function textColumns(result: QueryArrayResult<unknown[]>): number[] {
  return result.fields
    .map((_, column) => column)
    .filter((column) => result.rows.some((row) => typeof row[column] === 'string'));
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const line = printable(text).replaceAll('\n', '⏎');
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}
