// Runs the TypeScript sources. Loading some hundred of them one by one takes a second of every start, so they are bundled when a
// command first needs them in this state, and kept in the user's cache; where that cannot be, tsx translates them as they are imported.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { addFile, isOwn, userCache } from './user-cache.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Folders at the top without sources of commands. A new one that is not named here costs a bundle that was not needed, no more. */
const OTHERS = new Set(['assets', 'bench', 'deploy', 'docs', 'examples', 'node_modules', 'test']);

/**
 * Imports a source that starts a process or a thread.
 *
 * @param {import('./bundle-sources.js').Entry} entry relative to the package
 * @returns {Promise<any>} its exports
 */
export async function importSource(entry) {
  const bundle = await bundleFolder();
  if (bundle !== null)
    return import(pathToFileURL(join(bundle, entry.replace(/\.ts$/, '.js'))).href);
  const { register } = await import('tsx/esm/api');
  // The user's own tsconfig, where there is one, is none of our business.
  register({ tsconfig: false });
  return import(pathToFileURL(join(ROOT, entry)).href);
}

/** @returns {Promise<string | null>} null where nothing can be kept, or nothing be trusted */
async function bundleFolder() {
  const cache = userCache(process.env);
  if (cache === null || !isOwn(cache)) return null;
  try {
    const folder = join(cache, `sources-${stateOfSources()}`);
    if (isWhole(folder)) {
      touch(folder);
      return folder;
    }
    const { bundleSources } = await import('./bundle-sources.js');
    await bundleSources(ROOT, folder, isWhole);
    return isWhole(folder) ? folder : null;
  } catch {
    return null;
  }
}

/** SHA-256 of what decides the bundle: names and contents of the sources, versions, and where all of it lies. */
function stateOfSources() {
  const hash = createHash('sha256').update(`${ROOT}\0${process.version}`);
  for (const path of [join(ROOT, 'package.json'), ...sourcesIn(ROOT, OTHERS)]) {
    addFile(hash, relative(ROOT, path), readFileSync(path));
  }
  return hash.digest('hex').slice(0, 32);
}

/**
 * @param {string} folder
 * @param {ReadonlySet<string>} [but] names to leave out
 * @returns {string[]}
 */
function sourcesIn(folder, but = new Set()) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || but.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...sourcesIn(path));
    else if (/\.[jt]s$/.test(entry.name)) found.push(path);
  }
  return found.sort();
}

/**
 * Whether a bundle is there as it was written: a power cut may have left empty files, a tidy program none, and packages may have moved.
 *
 * @param {string} folder
 * @returns {boolean}
 */
function isWhole(folder) {
  if (!isOwn(folder)) return false;
  try {
    const { sizes, packages } = JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8'));
    return (
      Object.entries(sizes).every(([name, size]) => statSync(join(folder, name)).size === size) &&
      packages.every((/** @type {string} */ url) => existsSync(fileURLToPath(url)))
    );
  } catch {
    return false;
  }
}

/**
 * Bundles in use are not the old ones.
 *
 * @param {string} folder
 */
function touch(folder) {
  try {
    utimesSync(folder, new Date(), new Date());
  } catch {
    // A cache that can only be read.
  }
}
