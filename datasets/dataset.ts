import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ToolsampleError } from '../contracts/errors.ts';
import type { RejectedRow, Sample } from '../contracts/sample.ts';
import { builtinCorpus } from './builtin/corpus.ts';
import { isRecord } from './ground-truth.ts';
import { jsonRows } from './json-rows.ts';
import type { RawRow } from './json-rows.ts';
import { PARQUET_MAGIC, parquetRows } from './parquet-rows.ts';
import { rllaSample } from './rlla.ts';

/** What the built-in corpus needs to know; ignored for files. */
export interface DatasetOptions {
  readonly seed: number;
  readonly corpusSize: number;
  readonly levelMix: readonly number[];
}

/** Whether a dataset's item is a row that could not be used. */
export function isRejected(item: Sample | RejectedRow): item is RejectedRow {
  return 'reason' in item;
}

/**
 * The samples of a dataset in order, with the rows that could not be used where they lie.
 * The same file or the same options give the same samples with the same ids.
 *
 * @param source `builtin`, or a file of rlla rows: parquet or JSON, recognised by its content
 * @throws ToolsampleError `not-found` or `dataset` when the file as a whole cannot be used
 */
export async function* openDataset(
  source: string,
  options: DatasetOptions,
): AsyncGenerator<Sample | RejectedRow, void, undefined> {
  if (source === 'builtin') {
    const { seed, corpusSize, levelMix } = options;
    yield* builtinCorpus({ seed, size: corpusSize, levelMix });
    return;
  }
  yield* readSamples(source);
}

/**
 * The samples of a file of rlla rows, streamed; see {@link openDataset}. A file without a single usable row is refused
 * at its end, when that is known.
 */
export async function* readSamples(
  file: string,
): AsyncGenerator<Sample | RejectedRow, void, undefined> {
  let rows = 0;
  let usable = 0;
  let firstRejected: RejectedRow | undefined;
  for await (const { row, content } of rawRows(file)) {
    rows++;
    const item = rllaSample(content, basename(file), row);
    if (!isRejected(item)) usable++;
    else firstRejected ??= item;
    yield item;
  }
  if (usable > 0) return;
  if (firstRejected === undefined) {
    throw new ToolsampleError('dataset', 'has no rows', {
      at: { file },
      hint: 'give a file with at least one sample',
    });
  }
  const { row, field, reason } = firstRejected;
  throw new ToolsampleError('dataset', `${reason} (and none of the ${rows} rows can be used)`, {
    at: { file, row, ...(field === undefined ? {} : { field }) },
    hint: 'expected rlla rows, as ToolRL publishes them',
  });
}

async function* rawRows(file: string): AsyncGenerator<RawRow> {
  const { bytes, start } = await inspect(file);
  yield* start === PARQUET_MAGIC ? parquetRows(file) : jsonRows(file, bytes);
}

/** A file's size and first four bytes. */
async function inspect(file: string): Promise<{ readonly bytes: number; readonly start: string }> {
  const hint = 'give `builtin`, or the path of a parquet or JSON file';
  try {
    // Before it is opened: opening a pipe waits for somebody to write to it.
    const status = await stat(file);
    if (!status.isFile()) {
      throw new ToolsampleError('dataset', 'is not a file', { at: { file }, hint });
    }
    const handle = await open(file, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
      return { bytes: status.size, start: buffer.toString('latin1', 0, bytesRead) };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof ToolsampleError) throw cause;
    const code = isRecord(cause) ? cause['code'] : undefined;
    const problem = code === 'ENOENT' ? 'does not exist' : `cannot be read (${String(code)})`;
    throw new ToolsampleError('not-found', problem, { at: { file }, hint, cause });
  }
}
