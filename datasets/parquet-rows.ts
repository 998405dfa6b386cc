import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { ToolsampleError } from '../contracts/errors.ts';
import type { RawRow } from './json-rows.ts';
import { RLLA_FIELDS, rllaFormat } from './rlla.ts';

/** A parquet file starts and ends with this. */
export const PARQUET_MAGIC = 'PAR1';

/** A row group is decoded whole; larger ones are refused before they fill the memory. */
const MAX_ROW_GROUP_BYTES = 1024n * 1024n * 1024n;

/**
 * The rows of a parquet file, one row group in memory at a time, and of its columns only those that are used.
 * @throws ToolsampleError `dataset` when the file is cut off or damaged, or lacks the columns of rlla
 */
export async function* parquetRows(file: string): AsyncGenerator<RawRow> {
  const buffer = await asyncBufferFromFile(file);
  const metadata = await readMetadata(buffer, file);
  const columns = usedColumns(metadata, file);
  let start = 0;
  for (const group of metadata.row_groups) {
    if (group.total_byte_size > MAX_ROW_GROUP_BYTES) {
      throw new ToolsampleError('dataset', 'has a row group of more than 1 GiB', {
        at: { file, row: start + 1 },
        hint: 'write it with smaller row groups',
      });
    }
    const end = start + Number(group.num_rows);
    const rows = await readRows(buffer, metadata, columns, start, end, file);
    for (const [i, content] of rows.entries()) yield { row: start + i + 1, content };
    start = end;
  }
}

async function readMetadata(buffer: AsyncBuffer, file: string): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(buffer);
  } catch (cause) {
    throw new ToolsampleError('dataset', 'is a parquet file that is cut off or damaged', {
      at: { file },
      hint: 'its end, where the table of contents belongs, cannot be read: copy it again',
      cause,
    });
  }
}

function usedColumns(metadata: FileMetaData, file: string): string[] {
  const names = topLevelColumns(metadata);
  const format = rllaFormat(names);
  if (format !== undefined) return [...RLLA_FIELDS[format]];
  throw new ToolsampleError('dataset', `has the columns ${names.join(', ')}: not those of rlla`, {
    at: { file },
    hint: 'expected prompt and reward_model, or instruction, input and output',
  });
}

/** Names of the schema's first level; the schema is a flat list in depth-first order. */
function topLevelColumns({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  let at = 1;
  const skip = (): void => {
    const children = schema[at++]?.num_children ?? 0;
    for (let i = 0; i < children && at < schema.length; i++) skip();
  };
  while (at < schema.length) {
    names.push(schema[at]?.name ?? '');
    skip();
  }
  return names;
}

async function readRows(
  file: AsyncBuffer,
  metadata: FileMetaData,
  columns: string[],
  rowStart: number,
  rowEnd: number,
  path: string,
): Promise<readonly unknown[]> {
  try {
    return await parquetReadObjects({ file, metadata, columns, rowStart, rowEnd });
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
    throw new ToolsampleError(
      'dataset',
      `rows ${rowStart + 1} to ${rowEnd} cannot be decoded (${reason.slice(0, 120)})`,
      { at: { file: path, row: rowStart + 1 }, hint: 'the file is damaged: copy it again', cause },
    );
  }
}
