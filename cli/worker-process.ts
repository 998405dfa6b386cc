import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLog, readLog } from '../services/log-file.ts';
import { printable } from './render/text.ts';

const PROGRAM = fileURLToPath(new URL('../bin/toolsample.js', import.meta.url));

/** What a worker without work needs to end. */
export const DRAIN_MILLISECONDS = 5_000;

export interface WorkerProcessOptions {
  readonly home: string;
  /** Where it serves metrics for Prometheus, e.g. `127.0.0.1:9464`; undefined: nowhere. */
  readonly metrics?: string | undefined;
  /** Folder of `worker.log`. */
  readonly logs: string;
  /** Told when the worker had to be started anew, or is given up. */
  readonly onRestart: (message: string) => void;
  /** Arguments instead of the real worker's; for tests. */
  readonly command?: readonly string[];
  /** Wait before the first restart; doubles with each. Default 500. */
  readonly backoffMilliseconds?: number;
}

/** How a worker ended for good. */
export interface LostWorker {
  /** `stopped` when it was asked to end. */
  readonly reason: string;
  /** What the command that needed it ends with. */
  readonly exitCode: 1 | 2;
}

export interface WorkerProcess {
  readonly log: string;
  /** Process id of the worker that runs now; undefined between two. */
  readonly pid: () => number | undefined;
  /** Resolves when the worker ended for good; never rejects. */
  readonly lost: Promise<LostWorker>;
  /** Asks the worker to finish what it is doing, and ends it by force after the limit. */
  readonly stop: (milliseconds: number) => Promise<void>;
  /** Ends it at once. */
  readonly kill: () => void;
}

/** Restarts before a worker that keeps dying is given up. */
const MAX_RESTARTS = 5;
/** After this long without a death the count starts over. */
const STEADY_MILLISECONDS = 10 * 60_000;

/**
 * Runs `toolsample worker` as a child: in its own process group, so that Ctrl-C reaches only us; with a channel whose end
 * tells it that we are gone; with its output in `worker.log`. A worker that dies is started again, a bounded number of times.
 */
export function startWorkerProcess(options: WorkerProcessOptions): WorkerProcess {
  const log = join(options.logs, 'worker.log');
  const command = options.command ?? workerCommand(options);
  const backoff = options.backoffMilliseconds ?? 500;
  let child: ChildProcess | null = null;
  let logBegin = 0;
  const halt = new AbortController();
  const lost = supervise();

  async function supervise(): Promise<LostWorker> {
    for (let deaths = 0; ;) {
      const begin = Date.now();
      const end = await runOnce();
      if (halt.signal.aborted) return { reason: 'stopped', exitCode: 1 };
      if (Date.now() - begin > STEADY_MILLISECONDS) deaths = 0;
      // Exit code 2 is the user's to mend: another try would end the same way.
      const exitCode = end === 'code 2' ? 2 : 1;
      if (exitCode === 2 || deaths >= MAX_RESTARTS) {
        const said = await lastError(log, logBegin);
        return { reason: `the worker ended with ${end}${said}; see ${log}`, exitCode };
      }
      deaths += 1;
      options.onRestart(
        `the worker ended with ${end} and is started again (${deaths} of ${MAX_RESTARTS}); see ${log}`,
      );
      await sleep(Math.min(10_000, backoff * 2 ** (deaths - 1)), undefined, {
        signal: halt.signal,
      }).catch(() => undefined);
    }
  }

  async function runOnce(): Promise<string> {
    const { file, begin } = await openLog(log);
    logBegin = begin;
    try {
      if (halt.signal.aborted) return 'stopped';
      child = spawn(process.execPath, command, {
        detached: true,
        stdio: ['ignore', file.fd, file.fd, 'ipc'],
      });
      const started = child;
      return await new Promise((resolve) => {
        started.once('error', (error) => resolve(error.message));
        started.once('exit', (code, signal) => resolve(signal ?? `code ${code ?? 'unknown'}`));
      });
    } finally {
      await file.close();
    }
  }

  const kill = (): void => {
    halt.abort();
    child?.kill('SIGKILL');
  };
  return {
    log,
    pid: () => child?.pid,
    lost,
    kill,
    stop: async (milliseconds) => {
      halt.abort();
      child?.kill('SIGTERM');
      const patience = new AbortController();
      await Promise.race([
        lost,
        sleep(milliseconds, undefined, { signal: patience.signal }).then(kill, () => undefined),
      ]);
      patience.abort();
      await lost;
    },
  };
}

/** Exported for its test. */
export function workerCommand({
  home,
  metrics,
}: Pick<WorkerProcessOptions, 'home' | 'metrics'>): readonly string[] {
  const told = metrics === undefined ? [] : ['--metrics', metrics];
  return [PROGRAM, 'worker', '--home', home, ...told];
}

/** The line in which a worker that ended said why; empty when it did not. */
async function lastError(log: string, begin: number): Promise<string> {
  const text = await readLog(log, begin).catch(() => '');
  const line = text.split('\n').findLast((each) => each.startsWith('error: '));
  return line === undefined ? '' : ` (${printable(line.slice('error: '.length))})`;
}
