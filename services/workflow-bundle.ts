import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

import { addFile, isOwn, removeOld } from '../bin/user-cache.js';
import { replaceFile } from './durable-file.ts';

/** Names of kept scripts. */
const BUNDLES = /^workflows-[0-9a-f]{32}\.js$/;
const MONTH_MILLISECONDS = 30 * 86_400_000;

/** Where the workflows are, and what else of ours they import. */
export interface WorkflowSources {
  /** The module whose exports are the workflows. */
  readonly workflowsPath: string;
  /** Folders whose `.ts` files decide the bundle; the module's own is among them. */
  readonly folders: readonly string[];
}

/** The workflows of this code. */
export const OWN_WORKFLOWS: WorkflowSources = {
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
  folders: ['workflows', 'contracts'].map((name) =>
    fileURLToPath(new URL(`../${name}`, import.meta.url)),
  ),
};

/**
 * The workflows as one script, for `Worker.create({ workflowBundle })`. Bundling takes seconds and is done once for
 * each state of the sources and version of the SDK; then the script comes from a cache.
 * @param caches folders that may hold the script; it is kept in the first that can be written. See `cacheFolders`
 */
export async function workflowBundle(
  caches: readonly string[],
  { workflowsPath, folders }: WorkflowSources,
): Promise<{ readonly code: string; readonly cached: boolean }> {
  const name = `workflows-${await sourceHash(folders)}.js`;
  for (const cache of caches) {
    const known = ownText(join(cache, name));
    if (known !== null) return { code: known, cached: true };
  }
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  for (const cache of caches) {
    try {
      await mkdir(cache, { recursive: true, mode: 0o700 });
      await removeOld(cache, BUNDLES, MONTH_MILLISECONDS);
      replaceFile(join(cache, name), code, 0o600);
      break;
    } catch {
      // A cache that cannot be written is as good as none: the next one, or the script as it is.
    }
  }
  return { code, cached: false };
}

/** A file's text; null when it does not exist, cannot be read, or is somebody else's: it will be run. */
function ownText(path: string): string | null {
  try {
    return isOwn(path) ? readFileSync(path, 'utf8') : null;
  } catch {
    return null;
  }
}

/** SHA-256 of all that decides the bundle: names and contents of the sources, and the SDK's version. */
async function sourceHash(folders: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  const sdk = createRequire(import.meta.url).resolve('@temporalio/worker/package.json');
  const { version } = JSON.parse(await readFile(sdk, 'utf8')) as { version: string };
  hash.update(version);
  for (const folder of folders) {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.ts')).sort();
    for (const name of names) {
      addFile(hash, name, await readFile(join(folder, name)));
    }
  }
  // The script names its modules by their paths.
  for (const folder of folders) hash.update(`\0${dirname(folder)}`);
  return hash.digest('hex').slice(0, 32);
}
