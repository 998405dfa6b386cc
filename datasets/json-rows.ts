import { createReadStream } from 'node:fs';
import { jsonExtent } from '../contracts/json-extent.ts';
import { jsonProblem } from '../contracts/json-problem.ts';
import { MAX_ROW_BYTES, RowSplitter, type SplitRow } from './row-splitter.ts';

/** A row as it was read, before anything is known of it; or why it could not be. */
export type RawRow =
  | {
      /** 1-based. */
      readonly row: number;
      readonly content: unknown;
    }
  | { readonly row: number; readonly problem: string };

/** A conversation of a hundred turns with fifty tools has some thousands of values, ten levels deep. */
const MAX_ROW_VALUES = 1_000_000;
const MAX_ROW_DEPTH = 100;

const CHUNK_BYTES = 1 << 20;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The rows of a JSON file, either a list or JSON lines; one row and a piece of the file are in memory at a time.
 * @param parse what reads a row's text, which is JSON if it reads it
 * @throws ToolsampleError `dataset` when the file is not UTF-8 text, neither of both, or ends in the middle of a list
 */
export async function* jsonRows(
  file: string,
  parse: (text: string) => unknown = JSON.parse,
): AsyncGenerator<RawRow> {
  const splitter = new RowSplitter(file);
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
    for (const row of splitter.push(chunk as Uint8Array)) yield parseRow(row, parse);
  }
  for (const row of splitter.end()) yield parseRow(row, parse);
}

function parseRow({ row, bytes }: SplitRow, parse: (text: string) => unknown): RawRow {
  if (bytes === null) return { row, problem: `is longer than ${MAX_ROW_BYTES >> 20} MiB` };
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return { row, problem: 'is not UTF-8 text' };
  }
  const { depth, values } = jsonExtent(text);
  if (depth > MAX_ROW_DEPTH) return { row, problem: `nests deeper than ${MAX_ROW_DEPTH} levels` };
  if (values > MAX_ROW_VALUES) {
    return { row, problem: `holds more than ${MAX_ROW_VALUES} JSON values` };
  }
  try {
    return { row, content: parse(text) };
  } catch (error) {
    return { row, problem: `is not JSON (${jsonProblem(error)})` };
  }
}
