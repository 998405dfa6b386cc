import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { SEARCH_ATTRIBUTES } from '../../contracts/temporal.ts';
import type { DataFolder } from '../data-folder.ts';
import { openLog, readLog } from '../log-file.ts';
import { accepts, isPortFree } from '../ports.ts';
import { isRunning, readPidFile, stopProcess } from '../process.ts';
import { DEV_SERVER } from '../server-processes.ts';
import { probeTemporal } from './connection.ts';
import { devDatabase, keepDevDatabase, prepareDevDatabase } from './dev-database.ts';

/**
 * Lets the dev server hand out tasks at once. By default each queue of a shard is read 20 times a second, and a run is one
 * workflow after the other on one shard: measured, 52 ms an activity in a chain instead of 15 ms.
 */
export const PROMPT_TASKS: readonly string[] = [
  '--dynamic-config-value',
  'history.transferProcessorMaxPollRPS=2000',
];

/** Types as the CLI's `--search-attribute` writes them. */
const FLAG_TYPES = { KEYWORD: 'Keyword', INT: 'Int', DOUBLE: 'Double' } as const;

export interface DevServerPorts {
  readonly port: number;
  readonly uiPort: number;
}

/** How a start ended: answering, or why not, and whether other ports would help. */
export type DevServerOutcome =
  | { readonly kind: 'ready' }
  | { readonly kind: 'port-taken' }
  | { readonly kind: 'failed'; readonly problem: string };

function pidFile(folder: DataFolder): string {
  return join(folder.temporal, 'server.pid');
}

function marks(folder: DataFolder): readonly string[] {
  return DEV_SERVER.marks(devDatabase(folder));
}

/** Whether this data folder has had a dev server: its workflows live there and nowhere else. */
export function hasDevServer(folder: DataFolder): boolean {
  return existsSync(devDatabase(folder));
}

/** Process id of the data folder's dev server; null when it does not run. */
export async function runningDevServer(folder: DataFolder): Promise<number | null> {
  const pid = await readPidFile(pidFile(folder));
  return pid !== null && (await isRunning(pid, marks(folder))) ? pid : null;
}

/**
 * Starts the dev server detached from this process and waits until it answers.
 * A server that was killed a moment ago may still hold the database: tried again for some seconds.
 */
export async function startDevServer(
  folder: DataFolder,
  cli: string,
  ports: DevServerPorts,
  namespace: string,
  logFile: string,
): Promise<DevServerOutcome> {
  for (const deadline = Date.now() + 15_000; ;) {
    const outcome = await startOnce(folder, cli, ports, namespace, logFile);
    const passing = outcome.kind === 'failed' && /database is locked/.test(outcome.problem);
    if (!passing || Date.now() > deadline) return outcome;
    await sleep(250);
  }
}

async function startOnce(
  folder: DataFolder,
  cli: string,
  { port, uiPort }: DevServerPorts,
  namespace: string,
  logFile: string,
): Promise<DevServerOutcome> {
  const attributes = Object.values(SEARCH_ATTRIBUTES).flatMap(({ name, type }) => [
    '--search-attribute',
    `${name}=${FLAG_TYPES[type]}`,
  ]);
  const flags = {
    ip: '127.0.0.1',
    port: String(port),
    'ui-port': String(uiPort),
    'db-filename': devDatabase(folder),
    namespace,
    'log-level': 'warn',
  };
  const args = [
    'server',
    'start-dev',
    ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    ...attributes,
    ...PROMPT_TASKS,
  ];
  if (!(await areFree([port, uiPort]))) return { kind: 'port-taken' };
  await prepareDevDatabase(folder);
  const log = await openLog(logFile);
  // The shell writes the pid file and then becomes the server: killed at any instant, no server runs that is not in
  // its pid file. Two servers on one database would destroy it.
  const child = spawn(
    '/bin/sh',
    ['-c', 'umask 077; echo $$ > "$1" && shift && exec "$@"', 'sh', pidFile(folder), cli, ...args],
    { cwd: folder.temporal, detached: true, stdio: ['ignore', log.file.fd, log.file.fd] },
  );
  let ended: string | null = null;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended ??= `exit code ${code ?? signal}`;
  });
  child.unref();
  await log.file.close();

  const address = `127.0.0.1:${port}`;
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    if (ended !== null) {
      const text = await readLog(logFile, log.begin);
      if (/address already in use|can't set .*port/.test(text)) return { kind: 'port-taken' };
      const complaint = text.split('\n').findLast((line) => line.startsWith('Error:'));
      return { kind: 'failed', problem: complaint?.replace('Error: ', '') ?? ended };
    }
    if (
      (await accepts('127.0.0.1', port, 500)) &&
      (await probeTemporal({ address })) !== null &&
      // Whoever took the port since it was looked at answers as well: ours ends then.
      (await runningDevServer(folder)) === child.pid
    ) {
      await keepDevDatabase(folder);
      return { kind: 'ready' };
    }
    await sleep(40);
  }
  await stopDevServer(folder);
  return { kind: 'failed', problem: 'it does not answer within a minute' };
}

/** Whether nobody listens on any of the ports; a server that was killed a moment ago may still do so, for an instant. */
async function areFree(ports: readonly number[]): Promise<boolean> {
  for (const deadline = Date.now() + 1_000; ;) {
    const free = await Promise.all(ports.map(isPortFree));
    if (!free.includes(false)) return true;
    if (Date.now() > deadline) return false;
    await sleep(40);
  }
}

/** Stops the data folder's dev server. @returns whether one was running. */
export async function stopDevServer(folder: DataFolder): Promise<boolean> {
  const pid = await runningDevServer(folder);
  if (pid === null) return false;
  const ended = await stopProcess(pid, marks(folder), DEV_SERVER.attempts);
  await rm(pidFile(folder), { force: true });
  return ended !== null;
}
