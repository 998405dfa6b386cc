import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactRef, StoredArtifact } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { errorCode, isAlive } from '../process.ts';
import { openFolderStore } from './folder-store.ts';

/** When copies have to go, so many go that this share of the limit is free: looking through all of them takes time. */
const FREED = 0.2;
/** A process looks again after it has added this share: others add, too. */
const LOOK_EVERY = 0.05;

/** Copies of an object store's artifacts on this machine, bounded in size, shared by its processes. */
export interface LocalCopies {
  /** A fresh path for a file that is to become a copy. */
  temporaryPath(): Promise<string>;
  /** Takes over a finished file, and removes the copies that were not used for longest where there are too many. */
  add(path: string, ref: ArtifactRef): Promise<void>;
  forget(sha256: string): Promise<void>;
  holding<T>(work: (held: HeldCopies) => Promise<T>): Promise<T>;
}

/** Copies that stay while somebody reads them: a second name of each, which no clean-up takes away. */
export interface HeldCopies {
  /** The path of a copy, verified; null when there is none. */
  hold(ref: ArtifactRef): Promise<string | null>;
  /** The same for a file that is about to become a copy. */
  holdFile(path: string, sha256: string): Promise<string>;
}

/**
 * Opens the copies in a folder, which can be deleted while nothing runs.
 * @param limit Bytes; what is being read, and what each further process has added since it last looked, comes on top.
 */
export async function openLocalCopies(folder: string, limit: number): Promise<LocalCopies> {
  const held = join(folder, 'held');
  const copies = await openFolderStore({
    artifacts: join(folder, 'copies'),
    temporary: join(folder, 'unfinished'),
  });
  await mkdir(held, { recursive: true, mode: 0o700 });
  for (const name of await readdir(held)) {
    const pid = Number(name.split('-')[0]);
    // Not what another store of this very process holds; but in a container every process has the same id.
    const begun = pid === process.pid ? (await stat(join(held, name))).mtimeMs : Date.now();
    if (isAlive(pid) && begun > Date.now() - 1000 * process.uptime()) continue;
    await rm(join(held, name), { recursive: true, force: true });
  }
  /** What may be added before the next look. */
  let room = 0;

  const makeRoom = async (): Promise<void> => {
    const found: StoredArtifact[] = [];
    for await (const copy of copies.stored()) found.push(copy);
    let total = found.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total > limit) {
      found.sort((a, b) => lastUse(a) - lastUse(b));
      for (const { place, bytes } of found) {
        if (total <= limit * (1 - FREED)) break;
        await rm(place, { force: true });
        total -= bytes;
      }
    }
    room = Math.min(limit - total, limit * LOOK_EVERY);
  };

  return {
    temporaryPath: async () => copies.temporaryPath(),
    forget: async (sha256) => copies.delete(sha256),

    async add(path, ref) {
      await copies.putFile(path, ref);
      room -= ref.bytes;
      if (room < 0) await makeRoom();
    },

    async holding(work) {
      const own = join(held, `${process.pid}-${randomBytes(8).toString('hex')}`);
      await mkdir(own, { mode: 0o700 });
      const holdFile = async (path: string, sha256: string): Promise<string> => {
        const name = join(own, sha256);
        await link(path, name).catch((error: unknown) => {
          if (errorCode(error) !== 'EEXIST') throw error;
        });
        return name;
      };
      const hold = async (ref: ArtifactRef): Promise<string | null> => {
        try {
          const path = await copies.path(ref);
          const name = await holdFile(path, ref.sha256);
          const now = new Date();
          await utimes(name, now, now);
          return name;
        } catch (error) {
          // Removed in between, or never there, or damaged: it can be fetched.
          if (errorCode(error) === 'ENOENT' || isUnusable(error)) return null;
          throw error;
        }
      };
      try {
        return await work({ hold, holdFile });
      } finally {
        await rm(own, { recursive: true, force: true });
      }
    },
  };
}

/** Damaged ones go first. */
function lastUse({ state, storedAt }: StoredArtifact): number {
  return state === 'whole' ? storedAt : 0;
}

function isUnusable(error: unknown): boolean {
  return (
    error instanceof ToolsampleError &&
    (error.code === 'not-found' || error.code === 'corrupt-artifact')
  );
}
