import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ToolsampleError } from '../../contracts/errors.ts';
import { updateServiceState, type DataFolder } from '../data-folder.ts';
import { freePort } from '../ports.ts';
import { postgresBinaries } from './binaries.ts';
import {
  ensureDatabase,
  initialiseCluster,
  isReady,
  runningPostmaster,
  startCluster,
  stopCluster,
  type StartOutcome,
} from './cluster.ts';
import { checkDatabaseUrl } from './connection.ts';
import {
  clusterPassword,
  clusterUrl,
  EMBEDDED_NAME,
  knownRoot,
  placeCluster,
  type Placement,
} from './placement.ts';

export interface PostgresService {
  /** Connection string with password: not for logs; see `redactUrl`. */
  readonly url: string;
  /** `external`: DATABASE_URL. `adopted`: was running already. */
  readonly how: 'external' | 'adopted' | 'started';
  readonly milliseconds: number;
}

export interface EnsureOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (message: string) => void;
}

/**
 * A Postgres server that answers: the one of `DATABASE_URL`, else the data folder's embedded one, which is created,
 * started, restarted or adopted as needed and outlives this process. Call it under the folder's lock.
 * @throws ToolsampleError saying what to do.
 */
export async function ensurePostgres(
  folder: DataFolder,
  { env, log }: EnsureOptions,
): Promise<PostgresService> {
  const begin = performance.now();
  const done = (url: string, how: PostgresService['how']): PostgresService => ({
    url,
    how,
    milliseconds: Math.round(performance.now() - begin),
  });
  const given = env['DATABASE_URL'];
  if (given !== undefined && given !== '') {
    await checkDatabaseUrl(given);
    return done(given, 'external');
  }

  const place = await placeCluster(folder, log);
  const password = clusterPassword(folder);
  const adopted = await adopt(place, password);
  if (adopted !== null) {
    await ensureDatabase(adopted, password);
    return done(clusterUrl(adopted, password), 'adopted');
  }

  const binaries = await postgresBinaries(place.account, join(place.root, 'programs'), log);
  await initialiseCluster(place, binaries, password);
  const logFile = join(folder.logs, 'postgres.log');
  let { port } = place;
  let outcome: StartOutcome = { kind: 'port-taken' };
  for (const tried = new Set<number>(); outcome.kind === 'port-taken' && tried.size < 10;) {
    outcome = await startCluster({ ...place, port }, binaries, password, logFile);
    if (outcome.kind === 'port-taken') {
      tried.add(port);
      port = await freePort(`${folder.id}/postgres`, tried);
    }
  }
  if (outcome.kind !== 'ready') {
    const problem = outcome.kind === 'failed' ? outcome.problem : 'no free port';
    throw new ToolsampleError('service', `embedded Postgres does not start: ${problem}`, {
      at: { file: place.data },
      hint: `see ${logFile}`,
    });
  }
  if (port !== place.port) {
    updateServiceState(folder, {
      postgres: {
        root: place.root === folder.postgres ? null : place.root,
        account: place.account?.name ?? null,
        port,
      },
    });
  }
  await ensureDatabase(port, password);
  return done(clusterUrl(port, password), 'started');
}

/** The port of a server that runs already, once it answers; null when none runs (any more). */
async function adopt(place: Placement, password: string): Promise<number | null> {
  for (const deadline = Date.now() + 60_000; ;) {
    const running = await runningPostmaster(place.data);
    if (running === null) return null;
    if (await isReady({ data: place.data, port: running.port }, password)) return running.port;
    if (Date.now() > deadline) {
      throw new ToolsampleError(
        'service',
        `embedded Postgres (process ${running.pid}) runs but does not answer`,
        { at: { file: place.data }, hint: 'run toolsample down, then try again' },
      );
    }
    await sleep(50);
  }
}

/** Stops the data folder's embedded server. @returns whether one was running. */
export async function stopPostgres(folder: DataFolder): Promise<boolean> {
  const known = knownRoot(folder);
  return known === null ? false : stopCluster(join(known.root, 'data'));
}

export interface PostgresState {
  readonly source: 'external' | 'embedded';
  readonly state: 'running' | 'stopped' | 'absent';
  /** Folder of the embedded cluster; null for an external server. */
  readonly folder: string | null;
  readonly pid: number | null;
  readonly port: number | null;
  /** With password. Null while the embedded server does not run. */
  readonly url: string | null;
  /** What is wrong with an external server. */
  readonly problem: string | null;
}

/** How things stand, starting nothing. */
export async function inspectPostgres(
  folder: DataFolder | null,
  env: EnsureOptions['env'],
): Promise<PostgresState> {
  const given = env['DATABASE_URL'];
  if (given !== undefined && given !== '') {
    const problem = await checkDatabaseUrl(given).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const state = problem === null ? 'running' : 'stopped';
    return { source: 'external', state, folder: null, pid: null, port: null, url: given, problem };
  }
  const known = folder === null ? null : knownRoot(folder);
  const nothing = { source: 'embedded', pid: null, url: null, problem: null } as const;
  if (folder === null || known === null) {
    return { ...nothing, state: 'absent', folder: null, port: null };
  }
  const data = join(known.root, 'data');
  const running = await runningPostmaster(data);
  if (running === null) return { ...nothing, state: 'stopped', folder: data, port: known.port };
  const url = clusterUrl(running.port, clusterPassword(folder), EMBEDDED_NAME);
  return { ...nothing, ...running, state: 'running', folder: data, url };
}
