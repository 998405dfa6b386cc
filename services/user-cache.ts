import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's own cache, which all data folders share, by the platform's custom; null where the user has no home. */
export function userCache(env: Readonly<Record<string, string | undefined>>): string | null {
  const base = env['XDG_CACHE_HOME'];
  if (base !== undefined && base.startsWith('/')) return join(base, 'toolsample');
  const home = env['HOME'] ?? homedir();
  if (home === '') return null;
  return process.platform === 'darwin'
    ? join(home, 'Library', 'Caches', 'toolsample')
    : join(home, '.cache', 'toolsample');
}
