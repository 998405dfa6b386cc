import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Leftover, SweepableStore } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { Bucket } from './bucket.ts';

/*
 * How an object is removed that nothing refers to, although somebody may be storing it again at this very moment. An object store
 * has neither locks nor a rename; but what was written is seen by all at once. So
 *
 * - who removes writes a mark first, then looks how old the object is, then removes it, then the mark;
 * - who stores writes the object first, then looks for the mark, waits for it to go where there is one, and looks last of all
 *   whether the object is still there.
 *
 * A sweep whose mark comes later than the first look sees the new object and leaves it; one whose mark went before that look has
 * removed what it will remove before the last. A mark that stays is of a sweep that was killed: whoever waited long enough takes
 * it away.
 */

/** What a sweep has for looking and for removing, each. */
const STEP_MILLISECONDS = 20_000;
/** Longer than a sweep takes from mark to mark. */
const PATIENCE_MILLISECONDS = 3 * STEP_MILLISECONDS;
const LOOK_EVERY_MILLISECONDS = 250;

const MARKS = 'sweep/';

/** Where an artifact lies below the prefix: `ab/<sha256>`. @throws ToolsampleError `schema` when that is no hash */
export function objectName(sha256: string): string {
  if (/^[0-9a-f]{64}$/.test(sha256)) return `${sha256.slice(0, 2)}/${sha256}`;
  throw new ToolsampleError('schema', `"${sha256}" is not a SHA-256 hash`);
}

function markName(sha256: string): string {
  return `${MARKS}${sha256}`;
}

/** The name of an object that is only to be tried out; `gc` removes it as it does marks, should whoever tries be killed. */
export function probeName(): string {
  return `${MARKS}doctor-${randomUUID()}`;
}

/**
 * To be called once an object was stored: waits for a sweep that may have looked at it before.
 * @returns whether the object is there for good; else it has to be stored again
 */
export async function yieldToSweep(bucket: Bucket, sha256: string): Promise<boolean> {
  const mark = markName(sha256);
  if ((await bucket.find(mark)) !== null) {
    for (const until = Date.now() + PATIENCE_MILLISECONDS; Date.now() < until;) {
      await sleep(LOOK_EVERY_MILLISECONDS);
      if ((await bucket.find(mark)) === null) break;
    }
    await bucket.remove(mark);
  }
  return (await bucket.find(objectName(sha256))) !== null;
}

/** What `gc` needs of a store, for one in a bucket. */
export function bucketSweep(
  bucket: Bucket,
): Pick<SweepableStore, 'stored' | 'unfinished' | 'removeUnused' | 'putBack'> {
  return {
    async *stored() {
      for await (const { name, ...found } of bucket.list('')) {
        const [, sha256 = ''] = /^[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(name) ?? [];
        if (sha256 === '' || name !== objectName(sha256)) continue;
        yield { sha256, state: 'whole', place: name, ...found };
      }
    },

    async unfinished(before) {
      const marks: Leftover[] = [];
      for await (const { name, bytes, storedAt } of bucket.list(MARKS)) {
        if (storedAt < before) marks.push({ bytes, remove: async () => bucket.remove(name) });
      }
      return [...(await bucket.unfinishedUploads(before)), ...marks];
    },

    async removeUnused({ sha256, place }, before) {
      const mark = markName(sha256);
      await bucket.write(mark, { sha256: EMPTY, bytes: 0, body: () => new Uint8Array() });
      const until = Date.now() + STEP_MILLISECONDS;
      const found = await bucket.find(place);
      const isOld = found !== null && found.storedAt < before && Date.now() < until;
      // One that is cut off here leaves its mark: the server may still remove the object.
      if (isOld) await bucket.remove(place, AbortSignal.timeout(STEP_MILLISECONDS));
      await bucket.remove(mark);
      return isOld;
    },

    /** Nothing is put aside here. */
    putBack: async () => undefined,
  };
}

/** SHA-256 of nothing. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
