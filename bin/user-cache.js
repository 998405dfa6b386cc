// Plain JavaScript: asked before a TypeScript source can be loaded.
import { existsSync, statSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * The user's folder for what can be had again, by the platform's custom; null where the user has no home.
 *
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {string | null}
 */
export function userCache(env) {
  const base = env.XDG_CACHE_HOME;
  if (base !== undefined && base.startsWith('/')) return join(base, 'toolsample');
  const home = env.HOME ?? homedir();
  if (home === '') return null;
  return process.platform === 'darwin'
    ? join(home, 'Library', 'Caches', 'toolsample')
    : join(home, '.cache', 'toolsample');
}

/**
 * Whether a file or folder, or else the folder in which it would be made, is this user's: what a cache holds will be run, and as root
 * we leave other users' homes as they are.
 *
 * @param {string} path
 * @returns {boolean}
 */
export function isOwn(path) {
  const uid = process.getuid?.();
  if (uid === undefined) return true;
  if (existsSync(path)) return statSync(path).uid === uid;
  return path !== dirname(path) && isOwn(dirname(path));
}

/**
 * Adds a file to what decides a name in the cache. With its length, so that text cannot move between files unnoticed.
 *
 * @param {import('node:crypto').Hash} hash
 * @param {string} name
 * @param {Buffer} content
 */
export function addFile(hash, name, content) {
  hash.update(`\0${name}\0${content.length}\0`).update(content);
}

/**
 * Removes files and folders of a cache that nobody has written or touched for some time.
 *
 * @param {string} cache
 * @param {RegExp} names
 * @param {number} milliseconds
 */
export async function removeOld(cache, names, milliseconds) {
  for (const name of await readdir(cache)) {
    if (!names.test(name)) continue;
    const path = join(cache, name);
    const found = await stat(path).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > milliseconds)
      await rm(path, { recursive: true, force: true });
  }
}
