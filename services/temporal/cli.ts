import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import type { DataFolder } from '../data-folder.ts';
import { cacheFolders } from '../user-cache.ts';

const run = promisify(execFile);

type Environment = Readonly<Record<string, string | undefined>>;

/** A `temporal` program that runs here. */
export interface TemporalCli {
  readonly path: string;
  /** E.g. `1.9.1`. */
  readonly version: string;
}

/** Folders in which we keep a fetched CLI. */
export function cliCaches(folder: DataFolder | null, env: Environment): readonly string[] {
  return cacheFolders(folder, env).map((cache) => join(cache, 'temporal-cli'));
}

/** The CLI from PATH or from one of our caches; null when there is none that runs. */
export async function findCli(
  folder: DataFolder | null,
  env: Environment,
): Promise<TemporalCli | null> {
  const onPath = (env['PATH'] ?? '').split(delimiter).filter((entry) => entry.startsWith('/'));
  const cached = cliCaches(folder, env).map((cache) => join(cache, 'bin'));
  for (const bin of [...onPath, ...cached]) {
    const cli = await tryCli(join(bin, 'temporal'));
    if (cli !== null) return cli;
  }
  return null;
}

/** Asks a file for its version; null unless it is a Temporal CLI. */
export async function tryCli(path: string): Promise<TemporalCli | null> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 10_000 });
    const version = /^temporal version (\d+\.\d+\.\d+\S*)/m.exec(stdout)?.[1];
    return version === undefined ? null : { path, version };
  } catch {
    return null;
  }
}
