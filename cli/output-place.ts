import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ToolsampleError } from '../contracts/errors.ts';

/**
 * Told before the work is done.
 *
 * @throws ToolsampleError `config` where no file of that name can be written
 */
export async function checkOutputFile(file: string): Promise<void> {
  const folder = await stat(dirname(file)).catch(() => null);
  if (folder?.isDirectory() !== true) {
    throw new ToolsampleError('config', 'the folder does not exist', {
      at: { file: dirname(file) },
    });
  }
  const there = await stat(file).catch(() => null);
  if (there !== null && !there.isFile()) {
    throw new ToolsampleError('config', 'is there and is no file', {
      at: { file },
      hint: 'choose another name with -o',
    });
  }
}
