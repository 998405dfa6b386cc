// Plain JavaScript: asked before a TypeScript source can be loaded.
import { homedir } from 'node:os';
import { join } from 'node:path';

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
