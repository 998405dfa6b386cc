import { homedir } from 'node:os';
import { join } from 'node:path';

import type { DataFolder } from './data-folder.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Folders for what can be had again: the user's cache, shared by all data folders; then the data folder's own. */
export function cacheFolders(
  folder: Pick<DataFolder, 'cache'> | null,
  env: Environment,
): readonly string[] {
  return [userCache(env), folder?.cache ?? null].filter((cache) => cache !== null);
}

/** By the platform's custom; null where the user has no home. */
function userCache(env: Environment): string | null {
  const base = env['XDG_CACHE_HOME'];
  if (base !== undefined && base.startsWith('/')) return join(base, 'toolsample');
  const home = env['HOME'] ?? homedir();
  if (home === '') return null;
  return process.platform === 'darwin'
    ? join(home, 'Library', 'Caches', 'toolsample')
    : join(home, '.cache', 'toolsample');
}
