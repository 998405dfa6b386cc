import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

import type { ArtifactRef, ArtifactStore } from '../contracts/artifacts.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { DataFolder } from './data-folder.ts';
import { fileError, syncFolder } from './durable-file.ts';
import { errorCode } from './process.ts';

/** Hashed, read or written at a time: timers and heartbeats get their turn in between. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const DAY_MILLISECONDS = 86_400_000;

/**
 * The artifact store of a data folder: `artifacts/ab/<sha256>`, each file complete, fsynced and read-only from the
 * moment it has its name. Several processes may use it at once. Unfinished files of killed processes are removed when
 * they are a day old.
 */
export async function openArtifactStore(
  folder: Pick<DataFolder, 'artifacts' | 'temporary'>,
): Promise<ArtifactStore> {
  const { artifacts, temporary } = folder;
  try {
    await mkdir(artifacts, { recursive: true, mode: 0o700 });
    await mkdir(temporary, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(error, artifacts, 'cannot open the artifact store');
  }
  await removeOldFiles(temporary);
  /** Content that this process has read or written whole. */
  const verified = new Set<string>();

  const place = (sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) {
      throw new ToolsampleError('schema', `"${sha256}" is not a SHA-256 hash`, {
        at: { file: artifacts },
      });
    }
    return join(artifacts, sha256.slice(0, 2), sha256);
  };

  const temporaryPath = (): string =>
    join(temporary, `${process.pid}-${randomBytes(8).toString('hex')}`);

  /** Whether the content is there and whole; moves it aside when it is damaged. */
  const isStored = async (ref: ArtifactRef): Promise<boolean> => {
    const path = place(ref.sha256);
    const size = await fileSize(path);
    if (size === null) return false;
    if (size === ref.bytes && verified.has(ref.sha256)) return true;
    if (size === ref.bytes && (await hashFile(path)) === ref.sha256) {
      verified.add(ref.sha256);
      return true;
    }
    await setAside(path);
    return false;
  };

  /** Gives a complete temporary file its name; the file is gone afterwards. */
  const adopt = async (path: string, ref: ArtifactRef): Promise<ArtifactRef> => {
    const target = place(ref.sha256);
    if (await isStored(ref)) {
      await rm(path, { force: true });
    } else {
      const parent = dirname(target);
      if ((await mkdir(parent, { recursive: true, mode: 0o700 })) !== undefined) {
        await syncFolder(artifacts);
      }
      await chmod(path, 0o400);
      await rename(path, target);
      verified.add(ref.sha256);
    }
    // Also for content that was there: whoever put it may have been killed before this.
    await syncFolder(dirname(target));
    return ref;
  };

  return {
    async put(bytes) {
      const ref = { sha256: await hashBytes(bytes), bytes: bytes.byteLength };
      const path = temporaryPath();
      try {
        if (await isStored(ref)) {
          await syncFolder(dirname(place(ref.sha256)));
          return ref;
        }
        await writeDurably(path, bytes);
        return await adopt(path, ref);
      } catch (error) {
        await rm(path, { force: true });
        throw fileError(error, artifacts, 'cannot store an artifact');
      }
    },

    async putFile(path, written) {
      try {
        if (written !== undefined) return await adopt(path, written);
        const handle = await open(path, 'r+');
        try {
          await handle.sync();
        } finally {
          await handle.close();
        }
        const bytes = await fileSize(path);
        return await adopt(path, { sha256: await hashFile(path), bytes: bytes ?? 0 });
      } catch (error) {
        throw fileError(error, path, 'cannot store an artifact');
      }
    },

    async get(ref) {
      const path = place(ref.sha256);
      try {
        const content = await readExactly(path, ref.bytes);
        if (content !== null && content.sha256 === ref.sha256) {
          verified.add(ref.sha256);
          return content.bytes;
        }
        await setAside(path);
      } catch (error) {
        throw errorCode(error) === 'ENOENT'
          ? missing(path)
          : fileError(error, path, 'cannot read an artifact');
      }
      throw damaged(path);
    },

    async path(ref) {
      const path = place(ref.sha256);
      try {
        if (await isStored(ref)) return path;
      } catch (error) {
        throw fileError(error, path, 'cannot read an artifact');
      }
      // Moved aside just now, or never there.
      throw (await fileSize(`${path}.corrupt`)) === null ? missing(path) : damaged(path);
    },

    async has(ref) {
      return (await fileSize(place(ref.sha256))) === ref.bytes;
    },

    async temporaryPath() {
      return temporaryPath();
    },

    async delete(sha256) {
      verified.delete(sha256);
      await rm(place(sha256), { force: true });
    },
  };
}

function missing(path: string): ToolsampleError {
  return new ToolsampleError('not-found', 'an artifact is missing', {
    at: { file: path },
    hint: 'the data folder is incomplete: restore it, or go on from an earlier checkpoint',
  });
}

function damaged(path: string): ToolsampleError {
  return new ToolsampleError('corrupt-artifact', 'the content does not match its hash', {
    at: { file: path },
    hint: 'the damaged file was renamed to end in ".corrupt"; check the disk, restore the file or go on from an earlier checkpoint',
  });
}

/** Out of the way, so that computing the content again can store it again; kept for those who look for the cause. */
async function setAside(path: string): Promise<void> {
  await rename(path, `${path}.corrupt`).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
  });
}

async function fileSize(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

async function hashBytes(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let begin = 0; begin < bytes.byteLength; begin += CHUNK_BYTES) {
    hash.update(bytes.subarray(begin, begin + CHUNK_BYTES));
    await turn();
  }
  return hash.digest('hex');
}

async function hashFile(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(chunk.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** Reads and hashes in one pass (`readFile` refuses 2 GiB). Null when the size is another. */
async function readExactly(
  path: string,
  size: number,
): Promise<{ bytes: Uint8Array; sha256: string } | null> {
  const handle = await open(path, 'r');
  try {
    if ((await handle.stat()).size !== size) return null;
    // Its own buffer, not a slice of Node's pool: readers view it as Float32Array from offset 0.
    const bytes = new Uint8Array(size);
    const hash = createHash('sha256');
    for (let begin = 0; begin < size;) {
      const length = Math.min(CHUNK_BYTES, size - begin);
      const { bytesRead } = await handle.read(bytes, begin, length);
      if (bytesRead === 0) return null;
      hash.update(bytes.subarray(begin, begin + bytesRead));
      begin += bytesRead;
    }
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    for (let begin = 0; begin < bytes.byteLength;) {
      const length = Math.min(CHUNK_BYTES, bytes.byteLength - begin);
      const { bytesWritten } = await handle.write(bytes, begin, length);
      begin += bytesWritten;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function removeOldFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > DAY_MILLISECONDS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}
