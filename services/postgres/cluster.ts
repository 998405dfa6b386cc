import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ToolsampleError } from '../../contracts/errors.ts';
import { fileError, syncFolder } from '../durable-file.ts';
import { asAccount } from './account.ts';
import { openLog, readLog } from '../log-file.ts';
import { errorCode, isAlive, isRunning, readPidFile, stopProcess } from '../process.ts';
import { POSTMASTER } from '../server-processes.ts';
import type { PostgresBinaries } from './binaries.ts';
import { withClient } from './connection.ts';
import { clusterUrl, EMBEDDED_NAME, type Placement } from './placement.ts';

/**
 * Server settings. Durable (fsync and synchronous commit stay on), small, and without parallel plans, whose row order
 * varies. Reached over 127.0.0.1 only: socket files would need a short path that two users can enter.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '64MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '512MB',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  cluster_name: 'toolsample',
};

const PID_BEYOND_ALL = 2_147_483_646;

/** The running postmaster of a cluster, by its pid file; null when there is none. */
export async function runningPostmaster(
  data: string,
): Promise<{ readonly pid: number; readonly port: number } | null> {
  const file = join(data, 'postmaster.pid');
  const pid = await readPidFile(file).catch(() => null);
  if (pid === null || !(await isRunning(pid, POSTMASTER.marks(data)))) return null;
  const port = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[3]);
  return port > 0 ? { pid, port } : null;
}

/**
 * Makes the cluster if there is none. It is made under another name and then renamed: a cluster that exists is whole.
 * @returns whether it was made now.
 * @throws ToolsampleError `schema` for a folder that holds something else or only a part of a cluster.
 */
export async function initialiseCluster(
  place: Placement,
  binaries: PostgresBinaries,
  password: string,
): Promise<boolean> {
  const { data, root, account } = place;
  const content = await readdir(data).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null;
    throw fileError(error, data, "cannot read Postgres's folder");
  });
  if (content !== null && content.length > 0) {
    checkCluster(data);
    return false;
  }
  const unfinished = join(root, 'data.new');
  const passwordFile = join(root, 'initdb-password');
  await rm(unfinished, { recursive: true, force: true });
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    if (account !== null) await chown(passwordFile, account.uid, account.gid);
    await runInitdb(place, binaries, unfinished, passwordFile);
  } finally {
    await rm(passwordFile, { force: true });
  }
  if (content !== null) await rm(data, { recursive: true });
  await rename(unfinished, data);
  await syncFolder(root);
  return true;
}

function checkCluster(data: string): void {
  if (!['PG_VERSION', join('global', 'pg_control')].every((name) => existsSync(join(data, name)))) {
    throw new ToolsampleError('schema', 'not a complete Postgres cluster', {
      at: { file: data },
      hint: 'restore it from a copy, or move it away to begin with an empty database',
    });
  }
}

async function runInitdb(
  place: Placement,
  binaries: PostgresBinaries,
  target: string,
  passwordFile: string,
): Promise<void> {
  // The built-in locale: texts sort alike on every machine, whatever its libraries.
  const args = [
    `--pgdata=${target}`,
    `--username=${EMBEDDED_NAME}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ];
  const output = await new Promise<string | null>((resolve, reject) => {
    const child = spawn(binaries.initdb, args, {
      ...asAccount(place.account),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code === 0 ? null : text);
    });
  });
  if (output === null) return;
  await rm(target, { recursive: true, force: true });
  if (output.includes('No space left')) {
    throw fileError({ code: 'ENOSPC' }, place.root, "cannot create Postgres's cluster");
  }
  throw new ToolsampleError('service', `initdb failed: ${lastComplaint(output)}`, {
    at: { file: place.root },
    hint: 'set DATABASE_URL to a Postgres server if this cannot be put right',
  });
}

/** How a start ended: listening, or why not, and whether another port would help. */
export type StartOutcome =
  | { readonly kind: 'ready'; readonly pid: number }
  | { readonly kind: 'port-taken' }
  | { readonly kind: 'failed'; readonly problem: string };

/**
 * Starts the server detached from this process, and waits until it answers (crash recovery included).
 * After `kill -9`, Postgres refuses for up to two seconds, while the killed server's children end: tried again.
 */
export async function startCluster(
  place: Placement,
  binaries: PostgresBinaries,
  password: string,
  logFile: string,
): Promise<StartOutcome> {
  await disarmPidFile(place.data);
  for (const deadline = Date.now() + 15_000; ;) {
    const outcome = await startOnce(place, binaries, password, logFile);
    const passing =
      outcome.kind === 'failed' && /shared memory|lock file|is in use/.test(outcome.problem);
    if (!passing || Date.now() > deadline) return outcome;
    await sleep(200);
  }
}

/**
 * Postgres takes a pid file for a running server's if any process of ours has that id now (after a reboot, or a
 * zombie). The caller has made sure that it is no server: the id is replaced by an impossible one. The rest of the file
 * stays: by it Postgres makes sure that no orphan of the old server still writes.
 */
async function disarmPidFile(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const pid = await readPidFile(file);
  if (pid === null || !isAlive(pid)) return;
  const lines = (await readFile(file, 'utf8')).split('\n');
  lines[0] = String(PID_BEYOND_ALL);
  await writeFile(file, lines.join('\n'));
}

async function startOnce(
  place: Placement,
  binaries: PostgresBinaries,
  password: string,
  logFile: string,
): Promise<StartOutcome> {
  const settings = Object.entries(SETTINGS).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const log = await openLog(logFile);
  const child = spawn(
    binaries.postgres,
    ['-D', place.data, '-p', String(place.port), ...settings],
    {
      ...asAccount(place.account),
      detached: true,
      stdio: ['ignore', log.file.fd, log.file.fd],
    },
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

  // Recovery after a crash can take long; there is no limit as long as the server works on it.
  for (;;) {
    if (ended !== null) {
      const text = await readLog(logFile, log.begin);
      if (/could not bind|Address already in use/.test(text)) return { kind: 'port-taken' };
      return { kind: 'failed', problem: lastComplaint(text) || ended };
    }
    if (child.pid !== undefined && (await isReady(place, password))) {
      return { kind: 'ready', pid: child.pid };
    }
    await sleep(30);
  }
}

/** Whether the server that answers on the port is this cluster's. @throws when it refuses for good. */
export async function isReady(
  place: Pick<Placement, 'data' | 'port'>,
  password: string,
): Promise<boolean> {
  try {
    return await withClient(
      clusterUrl(place.port, password, 'postgres'),
      async (client) => {
        const { rows } = await client.query<{ data_directory: string }>('show data_directory');
        return rows[0]?.data_directory === place.data;
      },
      2_000,
    );
  } catch (error) {
    if (
      errorCode(error) === '28P01' &&
      (await runningPostmaster(place.data))?.port === place.port
    ) {
      throw new ToolsampleError('schema', 'embedded Postgres refuses the stored password', {
        at: { file: place.data },
        hint: 'restore the data folder\'s file "postgres-password"',
        cause: error,
      });
    }
    return false;
  }
}

/** Creates toolsample's database in a fresh cluster. */
export async function ensureDatabase(port: number, password: string): Promise<void> {
  await withClient(clusterUrl(port, password, 'postgres'), async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      EMBEDDED_NAME,
    ]);
    if (rowCount === 0) await client.query(`create database ${EMBEDDED_NAME}`);
  });
}

/** Stops the cluster's server: fast shutdown first. @returns whether one was running. */
export async function stopCluster(data: string): Promise<boolean> {
  const running = await runningPostmaster(data);
  if (running === null) return false;
  const ended = await stopProcess(running.pid, POSTMASTER.marks(data), POSTMASTER.attempts);
  return ended !== null;
}

function lastComplaint(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const complaint = lines.findLast((line) => /FATAL|PANIC|error:/.test(line)) ?? lines.at(-1) ?? '';
  return complaint.replace(/^.*?(FATAL|PANIC|error): */, '');
}
