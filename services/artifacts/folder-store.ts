import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { ArtifactReader, ArtifactRef, SweepableStore } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { DataFolder } from '../data-folder.ts';
import { fileError, syncFolder } from '../durable-file.ts';
import { hashBytes, hashFile, readExactly, writeDurably } from '../hashed-file.ts';
import { errorCode } from '../process.ts';
import {
  artifactPlace,
  DAMAGED,
  putBack,
  seenFile,
  setAside,
  type SeenFile,
} from './folder-places.ts';
import { namedPlace, removeUnused, storedFiles, unfinishedFiles } from './folder-sweep.ts';

const DAY_MILLISECONDS = 86_400_000;
/** Contents that a process remembers having verified; what was not needed for so long is verified again. */
const REMEMBERED = 1024;

export interface FolderStoreOptions {
  /** Removes unfinished files of killed processes when they are a day old; default true. */
  readonly tidy?: boolean;
}

/** Files stay where they are as long as nobody deletes them: they can be read without {@link SweepableStore.reading}, too. */
export interface FolderStore extends SweepableStore, ArtifactReader {}

/**
 * The artifact store of a data folder: `artifacts/ab/<sha256>`, each file complete, fsynced and read-only from the
 * moment it has its name. Several processes may use it at once. Storing content that is there renews the file's time, by
 * which `toolsample gc` knows that somebody is about to refer to it.
 */
export async function openFolderStore(
  folder: Pick<DataFolder, 'artifacts' | 'temporary'>,
  options: FolderStoreOptions = {},
): Promise<FolderStore> {
  const { artifacts, temporary } = folder;
  try {
    await mkdir(artifacts, { recursive: true, mode: 0o700 });
    await mkdir(temporary, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(error, artifacts, 'cannot open the artifact store');
  }
  if (options.tidy !== false) {
    for (const leftover of await unfinishedFiles(temporary, Date.now() - DAY_MILLISECONDS)) {
      await leftover.remove();
    }
  }
  const verified = rememberedHashes();
  const place = (sha256: string): string => artifactPlace(artifacts, sha256);

  const temporaryPath = (): string =>
    join(temporary, `${process.pid}-${randomBytes(8).toString('hex')}`);

  /** Whether the content is there and whole; moves it aside when it is damaged. */
  const isStored = async (ref: ArtifactRef): Promise<boolean> => {
    const path = place(ref.sha256);
    for (;;) {
      const file = await artifactFile(path);
      if (file === null) return false;
      if (file.bytes === ref.bytes && verified.knows(ref.sha256)) return true;
      if (file.bytes === ref.bytes && (await hashFile(path)) === ref.sha256) {
        verified.add(ref.sha256);
        return true;
      }
      if (await setAside(path, file)) return false;
    }
  };

  /** As {@link isStored}, and whoever removes what nothing refers to is told to wait. */
  const isStoredForUse = async (ref: ArtifactRef): Promise<boolean> => {
    if (!(await isStored(ref))) return false;
    const now = new Date();
    try {
      await utimes(place(ref.sha256), now, now);
      return true;
    } catch (error) {
      // Removed at this very instant.
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
  };

  /** Gives a complete temporary file its name; the file is gone afterwards. */
  const adopt = async (path: string, ref: ArtifactRef): Promise<ArtifactRef> => {
    const target = place(ref.sha256);
    if (await isStoredForUse(ref)) {
      await rm(path, { force: true });
    } else {
      const parent = dirname(target);
      if ((await mkdir(parent, { recursive: true, mode: 0o700 })) !== undefined) {
        await syncFolder(artifacts);
      }
      await chmod(path, 0o400);
      const now = new Date();
      await utimes(path, now, now);
      await rename(path, target);
      verified.add(ref.sha256);
    }
    // Also for content that was there: whoever put it may have been killed before this.
    await syncFolder(dirname(target));
    return ref;
  };

  const store: FolderStore = {
    place: artifacts,

    async put(bytes) {
      const ref = { sha256: await hashBytes(bytes), bytes: bytes.byteLength };
      const path = temporaryPath();
      try {
        if (await isStoredForUse(ref)) {
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
        const { size } = await stat(path);
        return await adopt(path, { sha256: await hashFile(path), bytes: size });
      } catch (error) {
        throw fileError(error, path, 'cannot store an artifact');
      }
    },

    async get(ref) {
      const path = place(ref.sha256);
      try {
        for (;;) {
          const file = await artifactFile(path);
          if (file === null) throw missing(path);
          const content = await readExactly(path, ref.bytes);
          if (content?.sha256 === ref.sha256) {
            verified.add(ref.sha256);
            return content.bytes;
          }
          if (await setAside(path, file)) break;
        }
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
      throw (await seenFile(`${path}${DAMAGED}`)) === null ? missing(path) : damaged(path);
    },

    reading: async (work) => work(store),

    async has(ref) {
      return (await artifactFile(place(ref.sha256)))?.bytes === ref.bytes;
    },

    async temporaryPath() {
      return temporaryPath();
    },

    async delete(sha256) {
      verified.forget(sha256);
      await rm(place(sha256), { force: true });
    },

    stored: () => storedFiles(artifacts),
    unfinished: async (before) => unfinishedFiles(temporary, before),
    removeUnused,

    async putBack(artifact) {
      await putBack(namedPlace(artifact));
    },
  };
  return store;
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

/** An artifact as it lies there, null when there is none; one that a killed sweep has put aside is put back. */
async function artifactFile(path: string): Promise<SeenFile | null> {
  return (await seenFile(path)) ?? ((await putBack(path)) ? seenFile(path) : null);
}

interface RememberedHashes {
  add(sha256: string): void;
  /** Whether it is among the last ones that were added or asked for. */
  knows(sha256: string): boolean;
  forget(sha256: string): void;
}

/** The hashes of contents that this process has read or written whole. */
function rememberedHashes(): RememberedHashes {
  const hashes = new Set<string>();
  const add = (sha256: string): void => {
    hashes.delete(sha256);
    hashes.add(sha256);
    const [oldest] = hashes;
    if (hashes.size > REMEMBERED && oldest !== undefined) hashes.delete(oldest);
  };
  return {
    add,
    knows(sha256) {
      const known = hashes.has(sha256);
      if (known) add(sha256);
      return known;
    },
    forget: (sha256) => void hashes.delete(sha256),
  };
}
