import { readFile } from 'node:fs/promises';
import { ToolsampleError } from '../contracts/errors.ts';
import { jsonExtent } from '../contracts/json-extent.ts';
import { isRecord } from './ground-truth.ts';

/** A row as it was read, before anything is known of it. */
export interface RawRow {
  /** 1-based. */
  readonly row: number;
  readonly content: unknown;
}

/** Larger JSON files are refused: they must be parsed whole. Parquet is streamed. */
const MAX_JSON_BYTES = 256 * 1024 * 1024;

/** A row of rlla's has ten; read, twenty million take more than a GB. */
const MAX_JSON_VALUES = 20_000_000;

/**
 * The rows of a JSON file: a list of objects.
 * @throws ToolsampleError `dataset` when the file is not UTF-8 text, not JSON, not a list of objects, or too large
 */
export async function* jsonRows(file: string, bytes: number): AsyncGenerator<RawRow> {
  if (bytes > MAX_JSON_BYTES) {
    throw new ToolsampleError('dataset', `is larger than ${MAX_JSON_BYTES >> 20} MiB`, {
      at: { file },
      hint: 'convert it to parquet, which is read in parts',
    });
  }
  const list = parseList(decodeText(await readFile(file), file), file);
  for (const [i, content] of list.entries()) yield { row: i + 1, content };
}

function decodeText(bytes: Uint8Array, file: string): string {
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    throw new ToolsampleError('dataset', `has a NUL byte at offset ${nul}, so it is no JSON text`, {
      at: { file },
      hint: 'give a parquet file, or JSON saved as UTF-8',
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ToolsampleError('dataset', 'is neither parquet nor UTF-8 text', {
      at: { file },
      hint: 'give a parquet file, or JSON saved as UTF-8',
      cause,
    });
  }
}

function parseList(text: string, file: string): readonly unknown[] {
  const hint = 'expected a JSON list of rows: [{"instruction": …, "input": …, "output": …}, …]';
  if (jsonExtent(text).values > MAX_JSON_VALUES) {
    throw new ToolsampleError('dataset', `holds more than ${MAX_JSON_VALUES} JSON values`, {
      at: { file },
      hint: 'convert it to parquet, which is read in parts',
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ToolsampleError('dataset', `is not JSON (${parseProblem(text, cause)})`, {
      at: { file },
      hint,
      cause,
    });
  }
  if (!Array.isArray(value)) {
    const what = isRecord(value) ? 'one JSON object' : `a JSON ${typeof value}`;
    throw new ToolsampleError('dataset', `is ${what}, not a list`, { at: { file }, hint });
  }
  return value as readonly unknown[];
}

/** What the parser says, on one line, and whether the text just ends. */
function parseProblem(text: string, cause: unknown): string {
  if (text.trim() === '') return 'the file is empty';
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/unexpected end|unterminated/iu.test(message)) return 'it ends in the middle of a value';
  return (message.split('\n', 1)[0] ?? '').slice(0, 120);
}
