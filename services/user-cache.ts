import { userCache } from '../bin/user-cache.js';
import type { DataFolder } from './data-folder.ts';

/** Folders for what can be had again: the user's cache, shared by all data folders; then the data folder's own. */
export function cacheFolders(
  folder: Pick<DataFolder, 'cache'> | null,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  return [userCache(env), folder?.cache ?? null].filter((cache) => cache !== null);
}
