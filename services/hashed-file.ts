import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';

/** Hashed, read or written at a time: timers and heartbeats get their turn in between. */
const CHUNK_BYTES = 8 * 1024 * 1024;

/** SHA-256 of bytes, letting the event loop turn in between. */
export async function hashBytes(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let begin = 0; begin < bytes.byteLength; begin += CHUNK_BYTES) {
    hash.update(bytes.subarray(begin, begin + CHUNK_BYTES));
    await turn();
  }
  return hash.digest('hex');
}

/** SHA-256 of a file's content. */
export async function hashFile(path: string): Promise<string> {
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
export async function readExactly(
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

/** Writes a new file for the owner alone; returns once it would survive a power cut. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
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
