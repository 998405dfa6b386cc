import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from './durable-file.ts';
import { isAlive } from './process.ts';

/**
 * Lets `fill` make a folder that nobody else knows of, under a name of its own beside the place where it is to lie: several attempts at
 * the same thing do not meet. What is not given that place by {@link replaceFolder} is removed, and so is what killed attempts have left.
 */
export async function withUnfinishedFolder<T>(
  folder: string,
  fill: (unfinished: string) => Promise<T>,
): Promise<T> {
  await makeFolder(dirname(folder));
  const prefix = join(dirname(folder), `.${basename(folder)}.`);
  await removeLeftovers(prefix);
  const unfinished = `${prefix}${process.pid}-${randomBytes(8).toString('hex')}`;
  try {
    await mkdir(unfinished, { mode: 0o700 });
    return await fill(unfinished);
  } finally {
    // Whoever still writes there, although it was given up, may be in the way: then it is a killed attempt's.
    await rm(unfinished, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Unfinished folders of processes that are no more. */
async function removeLeftovers(prefix: string): Promise<void> {
  const parent = dirname(prefix);
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    if (!path.startsWith(prefix)) continue;
    const [, pid] = /^(\d+)-[0-9a-f]{16}$/.exec(path.slice(prefix.length)) ?? [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    await rm(path, { recursive: true, force: true });
  }
}

/** As `mkdir -p`; what it makes would survive a power cut. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made))
    await syncFolder(dirname(made));
}

/** Flushes a folder with all that is in it, and closes it to others, whatever the umask: then it would survive a power cut. */
export async function flushFolder(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await flushFolder(path);
    else await flushFile(path);
  }
  await syncFolder(folder);
}

async function flushFile(path: string): Promise<void> {
  await chmod(path, 0o600);
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Gives a flushed folder its place, which it keeps after a power cut; what lay there is gone. To be called by one at a time. Killed
 * in the middle of it, it has to be made anew.
 *
 * @throws what the file system says; nothing has changed when the folder is no longer there
 */
export async function replaceFolder(unfinished: string, folder: string): Promise<void> {
  await syncFolder(unfinished);
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
  await syncFolder(dirname(folder));
}
