import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactReader, ArtifactRef, SweepableStore } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { DataFolder } from '../data-folder.ts';
import { fileError } from '../durable-file.ts';
import { hashBytes, hashFile, readExactly, writeDurably } from '../hashed-file.ts';
import type { BucketLocation } from './artifact-location.ts';
import { openBucket, type NewObject } from './bucket.ts';
import { bucketSweep, objectName, yieldToSweep } from './bucket-sweep.ts';
import { download } from './download.ts';
import { openLocalCopies, type HeldCopies } from './local-copies.ts';

/** What was stored so recently needs no renewal: `gc` leaves it alone for as long again, clocks that differ included. */
const FRESH_MILLISECONDS = 30 * 60_000;
/** Tries to store what a sweep removes at the same time. */
const STORE_ATTEMPTS = 3;

/**
 * The artifact store in a bucket: `<prefix>ab/<sha256>`, as in a folder, so that one can be copied into the other. Any number of
 * machines may use it at once. Each keeps what it wrote and read, up to a limit.
 */
export async function openBucketStore(
  location: BucketLocation,
  folder: Pick<DataFolder, 'cache'>,
): Promise<SweepableStore> {
  const bucket = openBucket(location);
  const copies = await openLocalCopies(join(folder.cache, 'artifacts'), location.cacheBytes);
  /** Objects that came out wrong here: storing them again writes them over. */
  const damaged = new Set<string>();
  const fetching = new Map<string, Promise<void>>();

  /** Whether the object is there, and counts as new. */
  const isFresh = async ({ sha256, bytes }: ArtifactRef): Promise<boolean> => {
    if (damaged.has(sha256)) return false;
    const found = await bucket.find(objectName(sha256));
    if (found?.bytes !== bytes) return false;
    if (found.storedAt > Date.now() - FRESH_MILLISECONDS) return true;
    return bucket.renew(objectName(sha256), found);
  };

  const store = async (object: NewObject): Promise<void> => {
    for (let attempt = 0; attempt < STORE_ATTEMPTS; attempt++) {
      if (!(await isFresh(object))) await bucket.write(objectName(object.sha256), object);
      damaged.delete(object.sha256);
      if (await yieldToSweep(bucket, object.sha256)) return;
    }
    throw new ToolsampleError('service', 'an artifact is removed whenever it is stored', {
      at: { file: `${bucket.address}/${objectName(object.sha256)}` },
      hint: 'is `toolsample gc` of another database at work there?',
    });
  };

  /** Fetches an object that this machine has no copy of. */
  const fetch = async (held: HeldCopies, ref: ArtifactRef): Promise<string> => {
    const path = await copies.temporaryPath();
    const where = `${bucket.address}/${objectName(ref.sha256)}`;
    try {
      const outcome = await download(bucket, objectName(ref.sha256), ref, path);
      if (outcome === 'absent') throw missing(where);
      if (outcome === 'damaged') {
        damaged.add(ref.sha256);
        throw corrupt(where);
      }
      const name = await held.holdFile(path, ref.sha256);
      await copies.add(path, ref);
      return name;
    } catch (error) {
      throw fileError(error, path, 'cannot keep a copy of an artifact');
    } finally {
      await rm(path, { force: true });
    }
  };

  const pathOf = async (held: HeldCopies, ref: ArtifactRef): Promise<string> => {
    for (;;) {
      const name = await held.hold(ref);
      if (name !== null) return name;
      const underWay = fetching.get(ref.sha256);
      if (underWay !== undefined) {
        await underWay;
        continue;
      }
      const fetched = fetch(held, ref);
      fetching.set(
        ref.sha256,
        fetched.then(
          () => undefined,
          () => undefined,
        ),
      );
      try {
        return await fetched;
      } finally {
        fetching.delete(ref.sha256);
      }
    }
  };

  const reading = async <T>(work: (files: ArtifactReader) => Promise<T>): Promise<T> =>
    copies.holding(async (held) => {
      const path = async (ref: ArtifactRef): Promise<string> => {
        objectName(ref.sha256);
        return pathOf(held, ref);
      };
      const get = async (ref: ArtifactRef): Promise<Uint8Array> => {
        const name = await path(ref);
        const content = await readExactly(name, ref.bytes);
        if (content?.sha256 === ref.sha256) return content.bytes;
        await copies.forget(ref.sha256);
        throw new ToolsampleError('service', 'a local copy does not match its hash', {
          at: { file: name },
          hint: 'it was removed, and is fetched again; check the disk',
        });
      };
      return work({ path, get });
    });

  return {
    ...bucketSweep(bucket),
    place: bucket.address,
    reading,
    get: async (ref) => reading(async (files) => files.get(ref)),
    temporaryPath: async () => copies.temporaryPath(),

    async put(bytes) {
      const ref = { sha256: await hashBytes(bytes), bytes: bytes.byteLength };
      await store({ ...ref, body: () => bytes });
      const path = await copies.temporaryPath();
      try {
        await writeDurably(path, bytes);
        await copies.add(path, ref);
      } catch (error) {
        throw fileError(error, path, 'cannot keep a copy of an artifact');
      } finally {
        await rm(path, { force: true });
      }
      return ref;
    },

    async putFile(path, written) {
      const ref = written ?? (await describe(path));
      await store({ ...ref, body: () => createReadStream(path) });
      try {
        await copies.add(path, ref);
      } catch (error) {
        throw fileError(error, path, 'cannot keep a copy of an artifact');
      }
      return ref;
    },

    async has({ sha256, bytes }) {
      return (await bucket.find(objectName(sha256)))?.bytes === bytes;
    },

    async delete(sha256) {
      await bucket.remove(objectName(sha256));
      await copies.forget(sha256);
    },
  };
}

async function describe(path: string): Promise<ArtifactRef> {
  try {
    return { sha256: await hashFile(path), bytes: (await stat(path)).size };
  } catch (error) {
    throw fileError(error, path, 'cannot store an artifact');
  }
}

function missing(where: string): ToolsampleError {
  return new ToolsampleError('not-found', 'an artifact is missing', {
    at: { file: where },
    hint: 'have all workers the same TOOLSAMPLE_ARTIFACTS? Else restore it, or go on from an earlier checkpoint',
  });
}

function corrupt(where: string): ToolsampleError {
  return new ToolsampleError('corrupt-artifact', 'the content does not match its hash', {
    at: { file: where },
    hint: 'restore the object (an older version of it, if the bucket keeps them) or go on from an earlier checkpoint',
  });
}
