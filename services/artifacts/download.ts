import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArtifactRef } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { errorMessage } from '../process.ts';
import type { Bucket, ObjectBody } from './bucket.ts';

/** Bytes that came out wrong may have been hurt on the way: they are fetched so often before the object counts as damaged. */
const WHOLE_ATTEMPTS = 3;
/** Connections that may break one after the other without a byte having come. */
const EMPTY_ATTEMPTS = 6;
const FIRST_WAIT_MILLISECONDS = 100;
const LONGEST_WAIT_MILLISECONDS = 5_000;
const SILENT_MILLISECONDS = 30_000;

/** `damaged`: the same wrong bytes each time. */
export type Downloaded = 'whole' | 'absent' | 'damaged';

/**
 * Fetches an object into a new file and verifies it. Where a connection breaks, the next one goes on.
 * @throws ToolsampleError `service` when no byte comes any more, or what writing the file throws
 */
export async function download(
  bucket: Bucket,
  name: string,
  ref: ArtifactRef,
  path: string,
): Promise<Downloaded> {
  const handle = await open(path, 'wx', 0o600);
  try {
    for (let attempt = 0; attempt < WHOLE_ATTEMPTS; attempt++) {
      const sha256 = await fetchWhole(bucket, name, ref.bytes, handle);
      if (sha256 === null) return 'absent';
      if (sha256 === ref.sha256) return 'whole';
    }
    return 'damaged';
  } finally {
    await handle.close();
  }
}

/** @returns the hash of what came; empty when the object has another size; null when there is none. */
async function fetchWhole(
  bucket: Bucket,
  name: string,
  bytes: number,
  handle: FileHandle,
): Promise<string | null> {
  let hash = createHash('sha256');
  let at = 0;
  for (let empty = 0; ;) {
    const before = at;
    let problem = 'the answer ended too early';
    try {
      const body = await bucket.read(name, at);
      if (body === null) return null;
      if (body.bytes !== bytes) {
        body.stream.destroy();
        return '';
      }
      if (body.from !== at) {
        hash = createHash('sha256');
        at = 0;
      }
      at = await append(body, at, bytes, handle, hash);
    } catch (error) {
      if (!(error instanceof BrokenBody)) throw error;
      at = error.at;
      problem = error.message;
    }
    if (at >= bytes) {
      await handle.truncate(at);
      return at === bytes ? hash.digest('hex') : '';
    }
    empty = at > before ? 0 : empty + 1;
    if (empty >= EMPTY_ATTEMPTS) {
      throw new ToolsampleError('service', `reading breaks off: ${problem}`, {
        at: { file: `${bucket.address}/${name}` },
      });
    }
    await sleep(Math.min(LONGEST_WAIT_MILLISECONDS, FIRST_WAIT_MILLISECONDS * 2 ** empty));
  }
}

/** The connection broke; what had come by then is in the file. */
class BrokenBody extends Error {
  readonly at: number;

  constructor(error: unknown, at: number) {
    super(errorMessage(error));
    this.at = at;
  }
}

/** Writes and hashes what comes. @returns where the file ends now. @throws BrokenBody */
async function append(
  { stream }: ObjectBody,
  from: number,
  limit: number,
  handle: FileHandle,
  hash: Hash,
): Promise<number> {
  let at = from;
  const silence = setTimeout(() => {
    stream.destroy(new Error(`nothing came for ${SILENT_MILLISECONDS / 1000} s`));
  }, SILENT_MILLISECONDS);
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw new BrokenBody(error, at);
      });
      if (next.done === true || at > limit) return at;
      silence.refresh();
      hash.update(next.value);
      await handle.write(next.value, 0, next.value.length, at);
      at += next.value.length;
    }
  } finally {
    clearTimeout(silence);
    stream.destroy();
  }
}
