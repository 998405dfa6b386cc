import { randomBytes } from 'node:crypto';
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { z } from 'zod';

import { checkValue } from '../contracts/checked-value.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { fileError, readTextFile, replaceFile } from './durable-file.ts';
import { withFolderLock } from './folder-lock.ts';
import { checkOwner } from './folder-owner.ts';
import { serversLeftBehind } from './moved-folder.ts';
import { errorCode } from './process.ts';

/**
 * Everything that toolsample keeps on a machine:
 *
 * ```
 * <home>/
 *   services.json      this folder's id, and the ports and places of its services
 *   services.lock      held while services are started or stopped
 *   postgres-password  of the embedded server's one role
 *   postgres/          embedded Postgres: data/ is the cluster (elsewhere when its user cannot enter <home>)
 *   temporal/          dev server: temporal.db, server.pid
 *   artifacts/         content-addressed tensors and texts: ab/<sha256>
 *   tmp/               unfinished artifacts
 *   runs/              finished policies
 *   evaluations/       results on BFCL, in its layout
 *   logs/              postgres.log, temporal.log
 *   cache/             the Temporal CLI, workflow bundles: can be deleted
 * ```
 *
 * All of it belongs to the user who created it and is closed to others.
 */
export interface DataFolder {
  /** Absolute path without symbolic links. */
  readonly home: string;
  /** 16 hexadecimal digits, drawn when the folder was made. */
  readonly id: string;
  readonly postgres: string;
  readonly temporal: string;
  readonly artifacts: string;
  readonly temporary: string;
  readonly logs: string;
  readonly cache: string;
}

const serviceStateSchema = z.object({
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Where the folder lay when this was written: tells a moved folder from a copied one. */
  home: z.string(),
  postgres: z
    .object({
      /** Folder that holds `data/`; null: `<home>/postgres`. */
      root: z.string().nullable(),
      /** The user the server runs as; null: whoever owns the folder. */
      account: z.string().nullable(),
      port: z.int().min(1).max(65_535),
    })
    .nullable(),
  temporal: z
    .object({
      port: z.int().min(1).max(65_535),
      uiPort: z.int().min(1).max(65_535),
      namespace: z.string(),
    })
    .nullable(),
});

/** What `services.json` holds. */
export type ServiceState = Readonly<z.infer<typeof serviceStateSchema>>;

export interface HomeOptions {
  /** The flag `--home`. */
  readonly home?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory?: string;
}

/** The data folder's path: the flag, else `TOOLSAMPLE_HOME`, else `.toolsample` in the working directory. */
export function homePath(options: HomeOptions = {}): string {
  const env = options.env ?? process.env;
  const from = options.workingDirectory ?? process.cwd();
  const chosen = options.home ?? env['TOOLSAMPLE_HOME'];
  return resolve(from, chosen === undefined || chosen === '' ? '.toolsample' : chosen);
}

/**
 * Opens a data folder, creating what is missing.
 * @throws ToolsampleError when it cannot be created, its `services.json` cannot be read, it was moved while its services
 * run, or we are root and it is another user's.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    // Root's Postgres runs as another user, who must be able to walk through (not to list) the folder.
    const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
    const created = await mkdir(path, { recursive: true, mode }).catch((error: unknown) => {
      throw ['EEXIST', 'ENOTDIR'].includes(errorCode(error) ?? '') ? noFolder(path, error) : error;
    });
    const home = await realpath(path);
    await checkOwner(home);
    if (created !== undefined) await chmod(home, mode);
    await Promise.all(
      ['temporal', 'artifacts', 'tmp', 'logs', 'cache'].map(async (name) =>
        mkdir(join(home, name), { recursive: true, mode: 0o700 }),
      ),
    );
    const state = readServiceState(home);
    const settled =
      state?.home === home ? state : await withFolderLock(home, async () => settleState(home));
    return describe(home, settled.id);
  } catch (error) {
    throw fileError(error, path, 'cannot open the data folder');
  }
}

/**
 * The data folder if it exists already; null otherwise. Creates nothing.
 * @throws ToolsampleError `config` when the path is a file's, `schema` when `services.json` is damaged.
 */
export async function findDataFolder(path: string): Promise<DataFolder | null> {
  let home: string;
  try {
    home = await realpath(path);
  } catch {
    return null;
  }
  if (!(await stat(home)).isDirectory()) throw noFolder(path);
  const state = readServiceState(home);
  return state === null ? null : describe(home, state.id);
}

function noFolder(path: string, cause?: unknown): ToolsampleError {
  return new ToolsampleError('config', 'not a folder, or below a file', {
    at: { file: path },
    hint: 'choose another data folder with --home or TOOLSAMPLE_HOME',
    cause,
  });
}

function describe(home: string, id: string): DataFolder {
  return {
    home,
    id,
    postgres: join(home, 'postgres'),
    temporal: join(home, 'temporal'),
    artifacts: join(home, 'artifacts'),
    temporary: join(home, 'tmp'),
    logs: join(home, 'logs'),
    cache: join(home, 'cache'),
  };
}

/** First opening, or the folder was moved or copied since the last one. Called under the folder's lock. */
async function settleState(home: string): Promise<ServiceState> {
  const state = readServiceState(home);
  if (state?.home === home) return state;
  const fresh: ServiceState = {
    version: 1,
    id: randomBytes(8).toString('hex'),
    home,
    postgres: null,
    temporal: null,
  };
  // A copy must not share ports, task queue or an outside cluster with its original; a moved folder keeps all of it.
  const former = movedFrom(home, state);
  if (former !== null) await checkNothingRuns(home, former);
  const settled = state === null || former === null ? fresh : { ...state, home };
  writeServiceState(home, settled);
  return settled;
}

/**
 * Where the folder lay before it was moved to `home`, if nobody has opened it there yet.
 * @returns null when it was not moved, or is a copy beside its original.
 */
export function movedFrom(
  home: string,
  state: ServiceState | null = readServiceState(home),
): string | null {
  if (state === null || state.home === home) return null;
  return readServiceState(state.home)?.id === state.id ? null : state.home;
}

async function checkNothingRuns(home: string, former: string): Promise<void> {
  const left = await serversLeftBehind(home, former);
  if (left.length === 0) return;
  const names = left.map(({ service, pid }) => `${service} (process ${pid})`).join(' and ');
  throw new ToolsampleError('config', `moved from ${former} while its services run: ${names}`, {
    at: { file: home },
    hint: 'run toolsample down for the moved folder, then the same command again',
  });
}

/** Reads `services.json`; null when there is none. @throws ToolsampleError `schema` when it is damaged. */
export function readServiceState(home: string): ServiceState | null {
  const file = join(home, 'services.json');
  const text = readTextFile(file);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = checkValue(serviceStateSchema, value);
  if (parsed.success) return parsed.data;
  throw new ToolsampleError('schema', 'not a services.json of this version', {
    at: { file },
    hint: 'restore it, or move the whole data folder away to begin anew',
  });
}

/** Changes `services.json`. Call it under the folder's lock. */
export function updateServiceState(
  folder: DataFolder,
  change: Partial<Pick<ServiceState, 'postgres' | 'temporal'>>,
): void {
  const state = readServiceState(folder.home);
  if (state === null) {
    throw new ToolsampleError('schema', 'services.json has disappeared', {
      at: { file: folder.home },
      hint: 'restore it, or move the whole data folder away to begin anew',
    });
  }
  writeServiceState(folder.home, { ...state, ...change });
}

function writeServiceState(home: string, state: ServiceState): void {
  replaceFile(join(home, 'services.json'), `${JSON.stringify(state, null, 2)}\n`, 0o600);
}
