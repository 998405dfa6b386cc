import type { LogLevel, LogMetadata, Logger } from '@temporalio/worker';
import { pino, type Logger as PinoLogger } from 'pino';
import { errorReport } from '../../contracts/error-text.ts';

export interface WorkerLogOptions {
  /** Appended to; default: standard error. */
  readonly file?: string | undefined;
  /** `trace`, `debug`, `info`, `warn`, `error`. Default `info`. */
  readonly level?: string | undefined;
}

/** One JSON object a line, written at once: the last line before a crash is the one that matters. */
export function openWorkerLog({ file, level = 'info' }: WorkerLogOptions): PinoLogger {
  return pino(
    { level, base: { pid: process.pid }, serializers: { err: logged } },
    pino.destination({ dest: file ?? 2, sync: true }),
  );
}

/** An error's kind, messages and frames. Pino's own way adds whatever an error carries: of a query all of its parameters. */
function logged(error: unknown): object {
  return { type: error instanceof Error ? error.name : typeof error, ...errorReport(error) };
}

/** The SDK's messages, and those of workflows and activities, into our log. */
export function temporalLogger(log: PinoLogger): Logger {
  const write = (level: LogLevel, message: string, meta: LogMetadata = {}): void => {
    const { error, ...rest } = meta;
    const fields = error === undefined ? rest : { ...rest, err: error };
    log[PINO_LEVELS[level]](fields, message);
  };
  return {
    log: write,
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}

const PINO_LEVELS = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const;
