import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ToolsampleError } from '../contracts/errors.ts';
import { fileError } from './durable-file.ts';
import { errorCode, startToken } from './process.ts';

export interface FolderLockOptions {
  /** How long to wait for another process that holds the lock. Default: two minutes. */
  readonly waitMilliseconds?: number;
}

/**
 * Runs `work` while no other process (and no other call in this one) works under the lock of the same folder.
 * The lock is the file `services.lock`, naming its holder by process id and start time: one left by a process that was
 * killed, or that ran before a reboot, is taken over.
 * @throws ToolsampleError `service` when the holder does not finish in time.
 */
export async function withFolderLock<T>(
  folder: string,
  work: () => Promise<T>,
  options: FolderLockOptions = {},
): Promise<T> {
  const path = join(folder, 'services.lock');
  const nonce = randomBytes(8).toString('hex');
  const content = `${process.pid}\n${(await startToken(process.pid)) ?? ''}\n${nonce}\n`;
  const deadline = Date.now() + (options.waitMilliseconds ?? 120_000);
  while (!(await claim(path, content, nonce))) {
    const held = await readHolder(path);
    if (held !== null && !(await isHolderAlive(held))) {
      await removeStale(path, held, nonce);
    } else if (Date.now() > deadline) {
      throw new ToolsampleError('service', `process ${held?.split('\n')[0] ?? '?'} is busy here`, {
        at: { file: folder },
        hint: 'wait until it has started or stopped its services, or end it',
      });
    } else {
      await sleep(40);
    }
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

/** Creates the lock with its content in one go, so that nobody ever reads an empty one. */
async function claim(path: string, content: string, nonce: string): Promise<boolean> {
  const temporary = `${path}.${nonce}`;
  try {
    await writeFile(temporary, content, { mode: 0o600 });
    try {
      await link(temporary, path);
      return true;
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false;
      // File systems without hard links.
      return await createExclusively(path, content);
    }
  } catch (error) {
    throw fileError(error, path, 'cannot lock the data folder');
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createExclusively(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw fileError(error, path, 'cannot read the lock');
  }
}

async function isHolderAlive(content: string): Promise<boolean> {
  const [pid, token] = content.split('\n');
  // Being written by someone without hard links.
  if (pid === undefined || token === undefined) return true;
  const found = await startToken(Number(pid));
  return found !== null && (token === '' || found === token);
}

/** Moves the stale lock aside, and puts back what turns out to be a newer one that someone else has just taken. */
async function removeStale(path: string, stale: string, nonce: string): Promise<void> {
  const aside = `${path}.${nonce}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw fileError(error, path, 'cannot take over a stale lock');
  }
  if ((await readFile(aside, 'utf8')) === stale) {
    await rm(aside, { force: true });
  } else {
    await rename(aside, path);
  }
}
