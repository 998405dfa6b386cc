import { types, type Client, type FieldDef, type QueryArrayResult } from 'pg';
import { ToolsampleError } from '../../contracts/errors.ts';
import { ExactNumber, type ExactValue } from '../../contracts/exact-number.ts';
import { spacedJson } from '../../contracts/tool-call-text.ts';
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
  if (json) {
    terminal.print(jsonText(result));
    return;
  }
  const columns = result.fields.map(({ name }) => name);
  const left = [...columns.keys()].filter((column) => !isNumber(result.fields[column]));
  const rows = result.rows.slice(0, MAX_ROWS).map((row) => row.map(cell));
  for (const line of table(columns, rows, { paint: terminal.paint, left })) terminal.print(line);
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

const { INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC } = types.builtins;
const NUMBERS: ReadonlySet<number> = new Set([INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC]);
/** pg declares its ids as an enumeration; a server knows more of them. */
const usualParser: (oid: number, format: 'text') => unknown = types.getTypeParser;

/** Numbers as Postgres writes them: with all their digits, and the zeros of a rounded one. The rest as pg does it. */
function getTypeParser(oid: number): unknown {
  return NUMBERS.has(oid) ? (text: string) => text : usualParser(oid, 'text');
}

function isNumber(field: FieldDef | undefined): boolean {
  return field !== undefined && NUMBERS.has(field.dataTypeID);
}

/** An array of objects, a line a row. A column of numbers is numbers throughout, whatever their digits. */
function jsonText({ fields, rows }: QueryArrayResult<unknown[]>): string {
  if (rows.length === 0) return '[]';
  const lines = rows.map((row) => {
    const values = fields.map((field, i) => [field.name, jsonValue(row[i], field)] as const);
    return `  ${spacedJson(Object.fromEntries(values))}`;
  });
  return `[\n${lines.join(',\n')}\n]`;
}

function jsonValue(value: unknown, field: FieldDef): ExactValue {
  // JSON has no NaN and no infinity: those stay texts, as in Postgres's own JSON.
  if (typeof value === 'string' && isNumber(field) && /\d/.test(value))
    return new ExactNumber(value);
  return JSON.parse(JSON.stringify(value)) as ExactValue;
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const line = printable(text).replaceAll('\n', '⏎');
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}
