import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ToolsampleError } from '../contracts/errors.ts';
import type { DataFormat, RejectedRow, Sample } from '../contracts/sample.ts';
import { builtinCorpus } from './builtin/corpus.ts';
import { parseExactly } from './exact-content.ts';
import { commonFormat, KNOWN_FORMATS, openRowReader, recogniseRow } from './formats/recognise.ts';
import type { RowReader } from './formats/row-reader.ts';
import { excerpt, isRecord } from './ground-truth.ts';
import { jsonRows } from './json-rows.ts';
import type { RawRow } from './json-rows.ts';
import { PARQUET_MAGIC, parquetRows } from './parquet-rows.ts';

/** What the built-in corpus needs to know; ignored for files. */
export interface DatasetOptions {
  readonly seed: number;
  readonly corpusSize: number;
  readonly levelMix: readonly number[];
  readonly wrongLabels?: number;
}

/** Whether a dataset's item is a row that could not be used. */
export function isRejected(item: Sample | RejectedRow): item is RejectedRow {
  return 'reason' in item;
}

/**
 * The samples of a dataset in order, with the rows that could not be used where they lie.
 * The same file or the same options give the same samples with the same ids.
 *
 * @param source `builtin`, or a file: parquet, JSON lines or a JSON list, of any format, recognised by its content
 * @throws ToolsampleError `not-found` or `dataset` when the file as a whole cannot be used
 */
export async function* openDataset(
  source: string,
  options: DatasetOptions,
): AsyncGenerator<Sample | RejectedRow, void, undefined> {
  if (source === 'builtin') {
    const { seed, corpusSize, levelMix, wrongLabels } = options;
    yield* builtinCorpus({ seed, size: corpusSize, levelMix, wrongLabels });
    return;
  }
  yield* readSamples(source);
}

/**
 * The samples of a file, streamed; see {@link openDataset}. A file without a single usable row is refused at its end, when
 * that is known.
 */
export async function* readSamples(
  file: string,
): AsyncGenerator<Sample | RejectedRow, void, undefined> {
  let rows = 0;
  let usable = 0;
  let firstRejected: RejectedRow | undefined;
  for await (const item of readItems(file)) {
    if (isRejected(item)) {
      rows++;
      firstRejected ??= item;
    } else usable++;
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
    hint: KNOWN_FORMATS,
  });
}

/**
 * The same, of a file that may be empty or have no usable row at all. The first row that tells decides the format.
 * @param onFormat called when the format of the file is known, and again where a later row tells more of it
 */
export async function* readItems(
  path: string,
  onFormat: (format: DataFormat) => void = () => undefined,
): AsyncGenerator<Sample | RejectedRow, void, undefined> {
  const file = basename(path);
  const readers = new Map<DataFormat, RowReader>();
  let format: DataFormat | undefined;
  for await (const raw of rawRows(path)) {
    const { row } = raw;
    if ('problem' in raw) {
      yield { file, row, reason: raw.problem };
      continue;
    }
    const { content } = raw;
    const found = isRecord(content) ? recogniseRow(content) : undefined;
    const common = found === undefined ? format : commonFormat(format, found);
    if (common === undefined) {
      const reason =
        found === undefined
          ? unknownRow(content)
          : `is a row of ${found}, and those before are of ${format}`;
      yield { file, row, reason };
      continue;
    }
    if (common !== format) onFormat(common);
    format = common;
    const own = found ?? common;
    const reader = readers.get(own) ?? (await openRowReader(own, path));
    readers.set(own, reader);
    yield* reader(content, file, row);
  }
}

function unknownRow(content: unknown): string {
  if (!isRecord(content)) return 'is not an object';
  return `has the fields ${excerpt(Object.keys(content).join(', '))}: of no known format`;
}

async function* rawRows(file: string): AsyncGenerator<RawRow> {
  yield* (await isParquet(file)) ? parquetRows(file) : jsonRows(file, parseExactly);
}

/** Whether a file begins as parquet does. @throws ToolsampleError `not-found` or `dataset` when it is no file to be read */
async function isParquet(file: string): Promise<boolean> {
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
      return buffer.toString('latin1', 0, bytesRead) === PARQUET_MAGIC;
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
