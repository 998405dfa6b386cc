import { ToolsampleError } from '../contracts/errors.ts';
import { ExactNumber } from '../contracts/exact-number.ts';
import { isExactField } from './exact-content.ts';
import { knownColumns } from './formats/recognise.ts';
import type { RawRow } from './json-rows.ts';
import {
  openParquet,
  type ParquetContents,
  type ParquetReader,
  type ParquetRowGroup,
} from './parquet-reader.ts';

/** A parquet file starts and ends with this. */
export const PARQUET_MAGIC = 'PAR1';

/** A row group is decoded whole; larger ones, by what they claim or by what they decompress to, are refused before they fill the memory. */
const MAX_ROW_GROUP_BYTES = 1024 * 1024 * 1024;

/** Of a reason that a message repeats. */
const SHOWN_LENGTH = 120;

/**
 * The rows of a parquet file, one row group in memory at a time, and of its columns only those that are used.
 * @throws ToolsampleError `dataset` when the file is cut off or damaged, lacks the columns of any format, is compressed by
 *   an unknown codec, or takes too much time or memory to decode
 */
export async function* parquetRows(file: string): AsyncGenerator<RawRow> {
  const reader = openParquet(file);
  try {
    const contents = await readContents(reader, file);
    const columns = usedColumns(contents, file);
    refuseCodecs(contents, columns, file);
    let start = 0;
    for (const { rows: count, bytes } of contents.groups) {
      // Not `>`: a file may claim what is no number at all.
      if (!(bytes <= MAX_ROW_GROUP_BYTES)) {
        throw new ToolsampleError('dataset', 'has a row group of more than 1 GiB', {
          at: { file, row: start + 1 },
          hint: 'write it with smaller row groups',
        });
      }
      const end = start + count;
      const group = { start, end, bytes, maxBytes: MAX_ROW_GROUP_BYTES };
      const rows = await readRows(reader, columns, group, file);
      for (const [i, content] of rows.entries()) yield plainRow(content, start + i + 1);
      start = end;
    }
  } finally {
    reader.close();
  }
}

async function readContents(reader: ParquetReader, file: string): Promise<ParquetContents> {
  try {
    return await reader.contents();
  } catch (cause) {
    throw new ToolsampleError('dataset', 'is a parquet file that is cut off or damaged', {
      at: { file },
      hint: 'its end, where the table of contents belongs, cannot be read: copy it again',
      cause,
    });
  }
}

function usedColumns(contents: ParquetContents, file: string): string[] {
  const names = topLevelColumns(contents);
  const columns = knownColumns(names);
  if (columns !== undefined) return columns;
  const shown = names.join(', ').slice(0, SHOWN_LENGTH);
  throw new ToolsampleError('dataset', `has the columns ${shown}: those of no known format`, {
    at: { file },
    hint: 'expected prompt and reward_model, messages and tools, or what docs/data.md has besides',
  });
}

function refuseCodecs(
  { unreadable }: ParquetContents,
  columns: readonly string[],
  file: string,
): void {
  const found = unreadable.find(({ column }) => columns.includes(column));
  if (found === undefined) return;
  throw new ToolsampleError(
    'dataset',
    `has its column ${found.column} compressed with ${found.codec}, which cannot be read`,
    { at: { file }, hint: 'write it with snappy, gzip, brotli, zstd or lz4, or uncompressed' },
  );
}

/** Names of the schema's first level. */
function topLevelColumns({ schema }: ParquetContents): string[] {
  const names: string[] = [];
  for (let at = 1; at < schema.length;) {
    names.push(String(schema[at]?.name));
    // Over all that belongs to this column: what is still to come, however deep.
    for (let left = 1; left > 0 && at < schema.length; at++) {
      left += (schema[at]?.children ?? 0) - 1;
    }
  }
  return names;
}

async function readRows(
  reader: ParquetReader,
  columns: readonly string[],
  group: ParquetRowGroup,
  file: string,
): Promise<readonly unknown[]> {
  const { start, end } = group;
  try {
    return await reader.rows(columns, group);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, SHOWN_LENGTH) : String(cause);
    throw new ToolsampleError(
      'dataset',
      `rows ${start + 1} to ${end} cannot be decoded (${reason})`,
      {
        at: { file, row: start + 1 },
        hint: 'the file is damaged or its row groups are too large: copy it again, or write it with smaller ones',
        cause,
      },
    );
  }
}

/** Deeper values, as a column of JSON may hold, are refused: they overflow the stack of whoever walks them. */
const MAX_ROW_DEPTH = 100;

/** A row with the values that JSON has: 64-bit integers as numbers, times as texts. */
function plainRow(content: unknown, row: number): RawRow {
  try {
    return { row, content: plain(content, 0) };
  } catch (error) {
    return { row, problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Members of structs that are null are left out: Arrow gives every struct of a column all members that any of them has, so an
 * argument that is null is another tool's. Columns and items of lists stay.
 */
function plain(value: unknown, depth: number, exact = false): unknown {
  if (depth > MAX_ROW_DEPTH) throw new Error(`nests deeper than ${MAX_ROW_DEPTH} levels`);
  if (typeof value === 'bigint') return wholeNumber(value, exact);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1, exact));
  if (ArrayBuffer.isView(value)) throw new Error('holds bytes where a text belongs');
  const members = Object.entries(value).map(
    ([key, part]) => [key, plain(part, depth + 1, exact || isExactField(key))] as const,
  );
  return Object.fromEntries(
    depth === 0 ? members : members.filter(([, part]) => part !== null && part !== undefined),
  );
}

/** Of what a call is made with, all digits. */
function wholeNumber(value: bigint, exact: boolean): number | ExactNumber {
  const number = Number(value);
  return exact && !Number.isSafeInteger(number) ? new ExactNumber(value.toString()) : number;
}
