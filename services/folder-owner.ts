import { mkdtemp, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { ToolsampleError } from '../contracts/errors.ts';
import { errorCode } from './process.ts';
import { userName } from './postgres/account.ts';

/**
 * Keeps root out of a data folder that another user works with: what root writes there, that user could not read any
 * more. A folder that nobody has opened yet may belong to anybody.
 * @throws ToolsampleError `config` naming the user.
 */
export async function checkOwner(home: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const uid = await ownerOf(join(home, 'services.json'));
  if (uid === null || uid === 0 || uid === (await ownerOfNewFiles(home))) return;
  const name = await userName(uid);
  throw new ToolsampleError('config', `the data folder belongs to the user ${name}`, {
    at: { file: home },
    hint: `run as ${name}, or choose another data folder with --home or TOOLSAMPLE_HOME`,
  });
}

async function ownerOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).uid;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Not always us: network mounts and those of virtual machines give all files to one user, root's too. */
async function ownerOfNewFiles(home: string): Promise<number | null> {
  const made = await mkdtemp(join(home, '.owner-'));
  try {
    return await ownerOf(made);
  } finally {
    await rmdir(made);
  }
}
