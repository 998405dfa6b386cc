import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('parquet-process.js', import.meta.url));

/** Of the process that decodes. A row group of a GB fits; a file that claims billions of values ends it. */
const MAX_HEAP_MEGABYTES = 4096;

/** For the table of contents, and for rows whatever they are; and for each MB of a row group besides. */
const MILLISECONDS = 10_000;
const MILLISECONDS_A_MEGABYTE = 200;

/** What a parquet file says of itself, unchecked. */
export interface ParquetContents {
  /** The schema as a flat list in depth-first order. */
  readonly schema: readonly { readonly name: string; readonly children?: number }[];
  readonly groups: readonly { readonly rows: number; readonly bytes: number }[];
  /** Columns that are compressed by a codec that is not supported. */
  readonly unreadable: readonly { readonly column: string; readonly codec: string }[];
}

/** What is asked for at once: a row group. */
export interface ParquetRowGroup {
  readonly start: number;
  readonly end: number;
  /** As the file has it, for the time that it may take. */
  readonly bytes: number;
  /** What its pages may take when they are decompressed. */
  readonly maxBytes: number;
}

/** A parquet file, decoded by a process of its own. Calls throw an `Error` with a reason of one line. */
export interface ParquetReader {
  contents(): Promise<ParquetContents>;
  rows(columns: readonly string[], group: ParquetRowGroup): Promise<unknown[]>;
  close(): void;
}

type Answer = { readonly value: unknown } | { readonly problem: string };

/**
 * Opens a file. A parquet file says how often a value is repeated and how much memory a page takes, so a few hostile bytes
 * keep a decoder busy for hours or end its process: which therefore is not ours.
 */
export function openParquet(file: string): ParquetReader {
  const child = fork(PROGRAM, [file], {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${MAX_HEAP_MEGABYTES}`],
    // Paths of certificates and proxies are not its business, nor are passwords.
    env: {},
    stdio: 'ignore',
  });
  const ask = async (request: object, milliseconds: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const fail = (problem: string): void => {
        settle();
        reject(new Error(problem));
      };
      const timer = setTimeout(() => {
        fail(`takes longer than ${Math.round(milliseconds / 1000)} s`);
        child.kill('SIGKILL');
      }, milliseconds);
      const onExit = (): void => fail('takes more memory than there may be, or breaks the decoder');
      const onError = (error: Error): void => fail(error.message);
      const onMessage = (answer: unknown): void => {
        settle();
        const given = answer as Answer;
        if ('value' in given) resolve(given.value);
        else reject(new Error(given.problem));
      };
      const settle = (): void => {
        clearTimeout(timer);
        child.off('exit', onExit).off('error', onError).off('message', onMessage);
      };
      child.once('exit', onExit).once('error', onError).once('message', onMessage);
      if (child.connected) child.send(request);
      else onExit();
    });
  child.on('error', () => undefined);
  return {
    contents: async () => (await ask({}, MILLISECONDS)) as ParquetContents,
    rows: async (columns, { start: rowStart, end: rowEnd, bytes, maxBytes }) => {
      const time = MILLISECONDS + (bytes / 1e6) * MILLISECONDS_A_MEGABYTE;
      return (await ask({ columns, rowStart, rowEnd, maxBytes }, time)) as unknown[];
    },
    close: () => {
      child.kill('SIGKILL');
    },
  };
}
