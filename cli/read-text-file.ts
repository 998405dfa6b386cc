import { readFile } from 'node:fs/promises';
import { ToolsampleError } from '../contracts/errors.ts';

const PROBLEMS: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  EISDIR: 'is a folder',
  EACCES: 'may not be read by you',
};

/**
 * The text of a small file that a flag names.
 * @param hint what to give instead
 * @throws ToolsampleError `not-found`
 */
export async function readTextFile(file: string, hint: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code = String(cause) } = cause as NodeJS.ErrnoException;
    const problem = PROBLEMS[code] ?? `cannot be read (${code})`;
    throw new ToolsampleError('not-found', problem, { at: { file }, hint, cause });
  }
}
