import { open, rename, rm } from 'node:fs/promises';
import { ToolsampleError } from '../../contracts/errors.ts';

/**
 * Makes a file that appears whole or not at all: written under a temporary name, flushed, renamed.
 * @param write writes to the path that it is given
 * @throws ToolsampleError `disk-full`, or what `write` throws
 */
export async function writeWholeFile<T>(
  path: string,
  write: (part: string) => Promise<T>,
): Promise<T> {
  const part = `${path}.partial`;
  try {
    const result = await write(part);
    const file = await open(part, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    return result;
  } catch (cause) {
    await rm(part, { force: true });
    if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
    throw new ToolsampleError('disk-full', 'no space left', {
      at: { file: path },
      hint: 'free some space and try again',
      cause,
    });
  }
}
