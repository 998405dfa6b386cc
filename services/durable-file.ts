import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

import { ToolsampleError } from '../contracts/errors.ts';
import { errorCode, errorMessage } from './process.ts';

/** What a failed file operation means to the user: a full disk, missing rights, or a broken file system. */
export function fileError(error: unknown, path: string, what: string): ToolsampleError {
  if (error instanceof ToolsampleError) return error;
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ToolsampleError('disk-full', `${what}: no space left on the disk`, {
      at: { file: path },
      hint: 'free some space or choose another data folder with --home, then run the same command again',
      cause: error,
    });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new ToolsampleError('config', `${what}: permission denied`, {
      at: { file: path },
      hint: 'run as the user who owns the data folder, or choose another one with --home or TOOLSAMPLE_HOME',
      cause: error,
    });
  }
  return new ToolsampleError('service', `${what}: ${errorMessage(error)}`, {
    at: { file: path },
    cause: error,
  });
}

/** Makes renames and creations in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders; its renames are journalled.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a small file: either the old or the new content is there after a crash, never a part.
 * Synchronous, so that a read, a change and a write in one process cannot interleave with another's.
 */
export function replaceFile(path: string, content: string | Uint8Array, mode: number): void {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    const file = openSync(temporary, 'wx', mode);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    if (process.platform !== 'win32') {
      const folder = openSync(dirname(path), 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    }
  } catch (error) {
    rmSync(temporary, { force: true });
    throw fileError(error, path, 'cannot write');
  }
}

/** A small file's text; null when it does not exist. */
export function readTextFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw fileError(error, path, 'cannot read');
  }
}
