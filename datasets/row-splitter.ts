import { ToolsampleError } from '../contracts/errors.ts';

/**
 * A row's bytes; null: it is longer than a row may be. Rows of a JSON list count from 1, those of JSON lines by their lines.
 */
export interface SplitRow {
  readonly row: number;
  readonly bytes: Uint8Array | null;
}

/** Longer rows are left out unread: what is in memory at a time is a row. */
export const MAX_ROW_BYTES = 64 * 1024 * 1024;

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Finds where rows end in a file of JSON lines or of one JSON list, without reading them. Rows are then parsed one by one by
 * `JSON.parse`: a row that is broken costs itself alone, and how large and how deep one is, is known before it is built;
 * libraries that parse a stream build values as they go, and end at the first that is broken.
 */
export class RowSplitter {
  readonly #file: string;
  #form: 'unknown' | 'list' | 'lines' | 'ended' = 'unknown';
  #row = 1;
  /** Lists and objects that are open inside of the row. */
  #depth = 0;
  #inText = false;
  #escaped = false;
  #parts: Uint8Array[] = [];
  #length = 0;
  /** Whether the row has anything but white space. */
  #blank = true;
  #offset = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** The rows that end in the next part of the file. @throws ToolsampleError `dataset` when it is no JSON text */
  *push(chunk: Uint8Array): Generator<SplitRow> {
    const nul = chunk.indexOf(0);
    if (nul >= 0) {
      throw this.#problem(`has a NUL byte at offset ${this.#offset + nul}, so it is no JSON text`);
    }
    let from = this.#form === 'unknown' ? this.#begin(chunk) : 0;
    if (this.#form === 'list') from = yield* this.#list(chunk, from);
    else if (this.#form === 'lines') yield* this.#lines(chunk, from);
    if (this.#form === 'ended') this.#refuseMore(chunk, from);
    this.#offset += chunk.length;
  }

  /** The row that the end of the file ends. @throws ToolsampleError `dataset` when the file ends in the middle of a list */
  *end(): Generator<SplitRow> {
    if (this.#form === 'unknown') throw this.#problem('is not JSON (the file is empty)');
    if (this.#form === 'list') {
      throw this.#problem('is not JSON (it ends in the middle of a value)', this.#row);
    }
    if (this.#form === 'lines' && !this.#blank) yield this.#take();
  }

  /** Where the rows begin, once it is known what holds them. */
  #begin(chunk: Uint8Array): number {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (byte === NEWLINE) this.#row++;
      if (isSpace(byte) || byte === BYTE_ORDER_MARK[this.#offset + i]) continue;
      if (byte === OPEN_OBJECT) this.#form = 'lines';
      else if (byte === OPEN_LIST) this.#form = 'list';
      else if (byte >= 0x80) throw this.#problem('is neither parquet nor UTF-8 text');
      else throw this.#problem('is not JSON (it begins with neither "[" nor "{")');
      if (this.#form === 'lines') return i;
      this.#row = 1;
      return i + 1;
    }
    return chunk.length;
  }

  *#lines(chunk: Uint8Array, from: number): Generator<SplitRow> {
    for (let start = from; ;) {
      const end = chunk.indexOf(NEWLINE, start);
      this.#keep(chunk.subarray(start, end < 0 ? chunk.length : end));
      if (end < 0) return;
      if (this.#blank) this.#drop();
      else yield this.#take();
      start = end + 1;
    }
  }

  /** Returns where what follows the list begins. */
  *#list(chunk: Uint8Array, from: number): Generator<SplitRow, number> {
    let start = from;
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inText = false;
      } else if (byte === QUOTE) this.#inText = true;
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#depth++;
      else if (this.#depth > 0) {
        if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#depth--;
      } else if (byte === COMMA) {
        this.#keep(chunk.subarray(start, i));
        yield this.#take();
        start = i + 1;
      } else if (byte === CLOSE_LIST) {
        this.#keep(chunk.subarray(start, i));
        if (this.#row > 1 || !this.#blank) yield this.#take();
        this.#form = 'ended';
        return i + 1;
      }
    }
    this.#keep(chunk.subarray(start));
    return chunk.length;
  }

  #refuseMore(chunk: Uint8Array, from: number): void {
    for (let i = from; i < chunk.length; i++) {
      if (!isSpace(chunk[i] as number)) throw this.#problem('is not JSON (more follows its list)');
    }
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    this.#blank &&= part.every(isSpace);
    if (this.#length <= MAX_ROW_BYTES) this.#parts.push(part);
    else this.#parts = [];
  }

  #take(): SplitRow {
    const bytes = this.#length <= MAX_ROW_BYTES ? Buffer.concat(this.#parts) : null;
    const row = this.#row;
    this.#drop();
    return { row, bytes };
  }

  #drop(): void {
    this.#row++;
    this.#parts = [];
    this.#length = 0;
    this.#blank = true;
  }

  #problem(problem: string, row?: number): ToolsampleError {
    return new ToolsampleError('dataset', problem, {
      at: { file: this.#file, ...(row === undefined ? {} : { row }) },
      hint: 'expected JSON lines or a JSON list of rows, saved as UTF-8, or parquet',
    });
  }
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB;
}
