import { mkdir, readdir, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { ToolsampleError } from '../contracts/errors.ts';
import { syncFolder } from './durable-file.ts';
import { errorCode, errorMessage, isAlive } from './process.ts';

/**
 * Makes a folder that appears whole or not at all: filled under another name beside it, flushed, renamed. An empty folder of
 * that name gives way; what a killed attempt left is removed by the next one.
 *
 * @param path Absolute.
 * @param fill Writes into the folder that it is given; files have to be flushed already.
 * @throws ToolsampleError `config` when there is something already or the place cannot be written, `disk-full`, or what `fill`
 *   throws
 */
export async function createFolder<T>(
  path: string,
  fill: (unfinished: string) => Promise<T>,
): Promise<T> {
  const folder = await vacantPlace(path);
  const parent = dirname(folder);
  const name = basename(folder);
  const unfinished = join(parent, `.${name}.${process.pid}.partial`);
  try {
    await mkdir(parent, { recursive: true });
    await removeLeftovers(parent, name);
    await mkdir(unfinished);
    const result = await fill(unfinished);
    await syncFolder(unfinished);
    await rename(unfinished, folder);
    await syncFolder(parent);
    return result;
  } catch (error) {
    throw folderError(error, path);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** The place without symbolic links. @throws ToolsampleError `config` when it is taken */
async function vacantPlace(path: string): Promise<string> {
  let entries: readonly string[];
  try {
    entries = await readdir(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return path;
    throw folderError(error, path);
  }
  if (entries.length > 0) throw taken(path);
  return realpath(path);
}

/** Unfinished folders of processes that are no more. */
async function removeLeftovers(parent: string, name: string): Promise<void> {
  const prefix = `.${name}.`;
  for (const entry of await readdir(parent)) {
    const pid = /^(\d+)\.partial$/.exec(entry.slice(prefix.length))?.[1];
    if (!entry.startsWith(prefix) || pid === undefined) continue;
    if (Number(pid) !== process.pid && isAlive(Number(pid))) continue;
    await rm(join(parent, entry), { recursive: true, force: true });
  }
}

function folderError(error: unknown, path: string): unknown {
  const code = errorCode(error);
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new ToolsampleError('disk-full', 'no space left on the disk', {
        at: { file: path },
        hint: 'free some space or name another folder, then run the same command again',
        cause: error,
      });
    case 'ENOTEMPTY':
      return taken(path);
    case 'ENOTDIR':
    case 'EEXIST':
      return new ToolsampleError('config', `is not a folder (${code})`, {
        at: { file: path },
        hint: 'name a new one',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'EBUSY':
    case 'EXDEV':
      return new ToolsampleError('config', `cannot be made: ${errorMessage(error)}`, {
        at: { file: path },
        hint: 'name a new folder inside one that you may write to',
        cause: error,
      });
    default:
      return error;
  }
}

function taken(path: string): ToolsampleError {
  return new ToolsampleError('config', 'holds files already', {
    at: { file: path },
    hint: 'name a new folder, or empty it',
  });
}
