import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { unfinishedFiles } from './artifacts/folder-sweep.ts';
import { syncFolder } from './durable-file.ts';

const DAY_MILLISECONDS = 86_400_000;

/**
 * Lets `fill` make a folder that nobody else knows of, under a name of its own among the temporary files: several attempts at the
 * same thing do not meet. What is not given a place by {@link replaceFolder} is removed; what killed attempts have left, when
 * it is a day old.
 *
 * @param temporary the data folder's; on the file system where the folder is to lie
 */
export async function withUnfinishedFolder<T>(
  temporary: string,
  fill: (unfinished: string) => Promise<T>,
): Promise<T> {
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  for (const leftover of await unfinishedFiles(temporary, Date.now() - DAY_MILLISECONDS)) {
    await leftover.remove();
  }
  const unfinished = join(temporary, `${process.pid}-${randomBytes(8).toString('hex')}`);
  try {
    await mkdir(unfinished, { mode: 0o700 });
    return await fill(unfinished);
  } finally {
    // Whoever still writes there, although it was given up, may be in the way: then it is a killed attempt's.
    await rm(unfinished, { recursive: true, force: true }).catch(() => undefined);
  }
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
 * @throws what the file system says; nothing has changed when the folder is no longer there, as when it was taken for a killed attempt's
 */
export async function replaceFolder(unfinished: string, folder: string): Promise<void> {
  await syncFolder(unfinished);
  const parent = dirname(folder);
  const created = await mkdir(parent, { recursive: true, mode: 0o700 });
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
  const last = created === undefined ? parent : dirname(created);
  for (let at = parent; ; at = dirname(at)) {
    await syncFolder(at);
    if (at === last) return;
  }
}
