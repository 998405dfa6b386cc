import { rm } from 'node:fs/promises';

import {
  findDataFolder,
  movedFrom,
  openDataFolder,
  readServiceState,
  type DataFolder,
} from './data-folder.ts';
import { withFolderLock } from './folder-lock.ts';
import { serversLeftBehind, stopLeftBehind } from './moved-folder.ts';
import {
  ensurePostgres,
  inspectPostgres,
  stopPostgres,
  type PostgresService,
  type PostgresState,
} from './postgres/ensure-postgres.ts';
import { stopDevServer } from './temporal/dev-server.ts';
import {
  ensureTemporal,
  inspectTemporal,
  type TemporalService,
  type TemporalState,
} from './temporal/ensure-temporal.ts';

export interface ServicesOptions {
  /** The data folder's path; see `homePath`. */
  readonly home: string;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Receives what a user should know: downloads, unusual places. Default: silence. */
  readonly log?: (message: string) => void;
  /** Port of 127.0.0.1 on which somebody else's Temporal server is looked for; null: none is. Default 7233. */
  readonly localTemporalPort?: number | null;
}

/** Everything a run needs, running. */
export interface Services {
  readonly folder: DataFolder;
  /** With password: not for logs; see `redactUrl`. */
  readonly databaseUrl: string;
  readonly artifactsRoot: string;
  readonly postgres: PostgresService;
  readonly temporal: TemporalService;
}

/**
 * Starts, restarts or adopts Postgres and Temporal, side by side. Processes that ask at once wait for one another.
 * Both outlive this process; {@link stopServices} stops them.
 * @throws ToolsampleError saying what to do.
 */
export async function ensureServices(options: ServicesOptions): Promise<Services> {
  const folder = await openDataFolder(options.home);
  const { env = process.env, log = () => undefined, localTemporalPort: localPort = 7233 } = options;
  const [postgres, temporal] = await withFolderLock(folder.home, async () => {
    // Settled, not all: nothing may still be starting once the lock is given back.
    const [database, workflows] = await Promise.allSettled([
      ensurePostgres(folder, { env, log }),
      ensureTemporal(folder, { env, log, localPort }),
    ]);
    if (database.status === 'rejected') throw database.reason;
    if (workflows.status === 'rejected') throw workflows.reason;
    return [database.value, workflows.value] as const;
  });
  return {
    folder,
    databaseUrl: postgres.url,
    artifactsRoot: folder.artifacts,
    postgres,
    temporal,
  };
}

/** Postgres alone, for commands that only read. Otherwise as {@link ensureServices}. */
export async function ensureDatabaseOnly(
  options: ServicesOptions,
): Promise<Pick<Services, 'folder' | 'databaseUrl' | 'artifactsRoot' | 'postgres'>> {
  const folder = await openDataFolder(options.home);
  const { env = process.env, log = () => undefined } = options;
  const postgres = await withFolderLock(folder.home, async () =>
    ensurePostgres(folder, { env, log }),
  );
  return { folder, databaseUrl: postgres.url, artifactsRoot: folder.artifacts, postgres };
}

/** What {@link stopServices} found running and stopped. */
export interface StoppedServices {
  readonly postgres: boolean;
  readonly temporal: boolean;
}

/**
 * Stops what this data folder started, before it was moved too; servers given by address are left alone. Workers should
 * have ended before.
 */
export async function stopServices(home: string): Promise<StoppedServices> {
  const folder = await findDataFolder(home);
  if (folder === null) return { postgres: false, temporal: false };
  return withFolderLock(folder.home, async () => {
    const former = movedFrom(folder.home);
    const left = former === null ? [] : await serversLeftBehind(folder.home, former);
    const stopped = await stopLeftBehind(left);
    const temporal = await stopDevServer(folder);
    const postgres = await stopPostgres(folder);
    return {
      temporal: temporal || stopped.has('Temporal'),
      postgres: postgres || stopped.has('Postgres'),
    };
  });
}

/**
 * Stops a data folder's services and deletes all of it for good, the cluster that lies outside of it as root included.
 * A folder that is no data folder is left alone.
 */
export async function removeDataFolder(home: string): Promise<void> {
  const folder = await findDataFolder(home);
  if (folder === null) return;
  await stopServices(home);
  const outside = readServiceState(folder.home)?.postgres?.root ?? null;
  if (outside !== null) await rm(outside, { recursive: true, force: true });
  await rm(folder.home, { recursive: true, force: true });
}

export interface ServicesState {
  /** Null when the data folder does not exist. */
  readonly folder: DataFolder | null;
  readonly postgres: PostgresState;
  readonly temporal: TemporalState;
}

/** How things stand, starting and creating nothing. */
export async function inspectServices(options: ServicesOptions): Promise<ServicesState> {
  const { env = process.env, localTemporalPort: localPort = 7233 } = options;
  const folder = await findDataFolder(options.home);
  const [postgres, temporal] = await Promise.all([
    inspectPostgres(folder, env),
    inspectTemporal(folder, { env, localPort }),
  ]);
  return { folder, postgres, temporal };
}
