import type { Stats } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Leftover, StoredArtifact } from '../../contracts/artifacts.ts';
import { errorCode } from '../process.ts';
import { ASIDE, DAMAGED, putBack } from './folder-places.ts';

const STATES: { readonly [ending: string]: StoredArtifact['state'] } = {
  '': 'whole',
  [DAMAGED]: 'damaged',
  [ASIDE]: 'aside',
};

/** All files of an artifact store; what is none of its own is left out. */
export async function* storedFiles(artifacts: string): AsyncGenerator<StoredArtifact> {
  for (const folder of (await readdir(artifacts)).sort()) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const name of (await readdir(join(artifacts, folder))).sort()) {
      const [, sha256, ending = ''] = /^([0-9a-f]{64})(\.[a-z]+)?$/.exec(name) ?? [];
      const state = STATES[ending];
      const place = join(artifacts, folder, name);
      const found = await statOrNull(place);
      if (sha256 === undefined || state === undefined || found === null) continue;
      yield { sha256, state, place, bytes: found.size, storedAt: found.mtimeMs };
    }
  }
}

/** Temporary files and folders of the store that were last written before an instant (milliseconds since 1970): of writers that were killed. */
export async function unfinishedFiles(temporary: string, before: number): Promise<Leftover[]> {
  const files: Leftover[] = [];
  for (const name of await readdir(temporary)) {
    const path = join(temporary, name);
    const found = await statOrNull(path);
    if (found !== null && found.mtimeMs < before) {
      const remove = async (): Promise<void> => rm(path, { recursive: true, force: true });
      files.push({ bytes: found.isDirectory() ? await folderSize(path) : found.size, remove });
    }
  }
  return files;
}

/**
 * Removes a file to which nothing refers, unless it was stored again since `before` (milliseconds since 1970): then somebody is
 * about to refer to it.
 *
 * Whoever stores content that is there already renews the file's time. Between looking at the time and deleting there must be no
 * room for that, so the file is put aside first: who stores it afterwards finds nothing, and writes it anew; who stored it before
 * has renewed the time of what lies aside, which is put back. Readers look aside too, so being killed in between loses nothing.
 *
 * @returns whether it was removed
 */
export async function removeUnused(file: StoredArtifact, before: number): Promise<boolean> {
  const place = namedPlace(file);
  if (file.state === 'damaged') {
    await rm(file.place, { force: true });
    return true;
  }
  const aside = `${place}${ASIDE}`;
  if (file.state === 'whole') {
    try {
      await rename(place, aside);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }
  const now = await statOrNull(aside);
  if (now === null) return false;
  if (now.mtimeMs >= before) {
    await putBack(place);
    return false;
  }
  await rm(aside, { force: true });
  return true;
}

/** Where the content lies when it is neither damaged nor aside. */
export function namedPlace({ place, state }: StoredArtifact): string {
  return state === 'aside' ? place.slice(0, -ASIDE.length) : place;
}

/** Bytes of the files in a folder, while others may be removing it. */
async function folderSize(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const found = await Promise.all(names.map(async (name) => statOrNull(join(folder, name))));
  return found.reduce((sum, file) => sum + (file?.isFile() === true ? file.size : 0), 0);
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
