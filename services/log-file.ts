import { open, readFile, rename, stat, type FileHandle } from 'node:fs/promises';

import { errorCode } from './process.ts';

const MAXIMUM_BYTES = 16_000_000;

/** Opens a server's log for appending; one that has grown beyond 16 MB is set aside first, replacing an older one. */
export async function openLog(path: string): Promise<{
  readonly file: FileHandle;
  /** Size so far: what a server writes begins here. */
  readonly begin: number;
}> {
  const size = await stat(path).then(
    (found) => found.size,
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') return 0;
      throw error;
    },
  );
  if (size > MAXIMUM_BYTES) await rename(path, `${path}.old`);
  return { file: await open(path, 'a', 0o600), begin: size > MAXIMUM_BYTES ? 0 : size };
}

/** What was written to a log from a position on. */
export async function readLog(path: string, begin: number): Promise<string> {
  return (await readFile(path)).subarray(begin).toString();
}
