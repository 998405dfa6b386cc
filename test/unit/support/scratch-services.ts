import { execFile } from 'node:child_process';
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { withClient } from '../../../services/postgres/connection.ts';
import { inspectServices, removeDataFolder } from '../../../services/services.ts';

/** The environment without servers of the developer's own. */
export const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(TEMPORAL_|DATABASE_URL|TOOLSAMPLE_)/.test(name),
  ),
);

/** Data folders of one test file, under one folder that everybody may enter. */
export interface ScratchFolders {
  readonly root: string;
  /** A data folder's path; its services are stopped at the end. */
  home(name: string): string;
  /** Stops all services and removes everything. */
  close(): Promise<void>;
}

export async function scratchFolders(): Promise<ScratchFolders> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'toolsample-services-')));
  await chmod(root, 0o755);
  const homes = new Set<string>();
  return {
    root,
    home(name) {
      const home = join(root, name);
      homes.add(home);
      return home;
    },
    async close() {
      await Promise.all([...homes].map(removeDataFolder));
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** What {@link addName} added to a database. */
export async function names(url: string): Promise<unknown[]> {
  return withClient(url, async (client) => {
    await client.query('create table if not exists policies (name text primary key)');
    const { rows } = await client.query<{ name: string }>('select name from policies order by 1');
    return rows.map(({ name }) => name);
  });
}

export async function addName(url: string, name: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('create table if not exists policies (name text primary key)');
    await client.query('insert into policies values ($1)', [name]);
  });
}

/** Process ids of a data folder's servers. */
export async function serverPids(home: string): Promise<{ postgres: number; temporal: number }> {
  const { postgres, temporal } = await inspectServices({ home, env, localTemporalPort: null });
  if (postgres.pid === null || temporal.pid === null) throw new Error('not running');
  return { postgres: postgres.pid, temporal: temporal.pid };
}

export const CHECKOUT = resolve(fileURLToPath(new URL('../../../', import.meta.url)));

export interface ProcessOptions {
  /** Command that runs the process. */
  readonly prefix?: readonly string[];
  /** Where the process finds the checkout. */
  readonly checkout?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** A process in its own right that calls `ensureServices`. */
export async function upInProcess(
  home: string,
  { prefix = [], checkout = CHECKOUT, environment = env }: ProcessOptions = {},
): Promise<{ uid: number; postgres: string; temporal: string; url: string }> {
  const loader = createRequire(import.meta.url)
    .resolve('tsx/esm')
    .replace(CHECKOUT, checkout);
  const script = fileURLToPath(
    new URL('../../fixtures/ensure-services.ts', import.meta.url),
  ).replace(CHECKOUT, checkout);
  const command = [process.execPath, '--import', pathToFileURL(loader).href, script, home];
  const [program = '', ...args] = [...prefix, ...command];
  const { stdout } = await promisify(execFile)(program, args, { env: environment, cwd: '/' });
  return JSON.parse(stdout) as { uid: number; postgres: string; temporal: string; url: string };
}
