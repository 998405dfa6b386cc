import { ToolsampleError } from '../contracts/errors.ts';
import type { RawRow } from './json-rows.ts';
import { openParquet, type ParquetContents, type ParquetReader } from './parquet-reader.ts';
import { RLLA_FIELDS, rllaFormat } from './rlla.ts';

/** A parquet file starts and ends with this. */
export const PARQUET_MAGIC = 'PAR1';

/** A row group is decoded whole; larger ones are refused before they fill the memory. */
const MAX_ROW_GROUP_BYTES = 1024 * 1024 * 1024;

/** Of a reason that a message repeats. */
const SHOWN_LENGTH = 120;

/**
 * The rows of a parquet file, one row group in memory at a time, and of its columns only those that are used.
 * @throws ToolsampleError `dataset` when the file is cut off or damaged, lacks the columns of rlla, or takes too much time or
 *   memory to decode
 */
export async function* parquetRows(file: string): AsyncGenerator<RawRow> {
  const reader = openParquet(file);
  try {
    const contents = await readContents(reader, file);
    const columns = usedColumns(contents, file);
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
      const rows = await readRows(reader, columns, { start, end, bytes }, file);
      for (const [i, content] of rows.entries()) yield { row: start + i + 1, content };
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
  const format = rllaFormat(names);
  if (format !== undefined) return [...RLLA_FIELDS[format]];
  const shown = names.join(', ').slice(0, SHOWN_LENGTH);
  throw new ToolsampleError('dataset', `has the columns ${shown}: not those of rlla`, {
    at: { file },
    hint: 'expected prompt and reward_model, or instruction, input and output',
  });
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
  group: { readonly start: number; readonly end: number; readonly bytes: number },
  file: string,
): Promise<readonly unknown[]> {
  const { start, end, bytes } = group;
  try {
    return await reader.rows(columns, start, end, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, SHOWN_LENGTH) : String(cause);
    throw new ToolsampleError(
      'dataset',
      `rows ${start + 1} to ${end} cannot be decoded (${reason})`,
      { at: { file, row: start + 1 }, hint: 'the file is damaged: copy it again', cause },
    );
  }
}
