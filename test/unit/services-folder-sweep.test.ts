import { mkdtemp, rename, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoredArtifact } from '../../contracts/artifacts.ts';
import { openFolderStore, type FolderStore } from '../../services/artifacts/folder-store.ts';
import { removeUnused, storedFiles } from '../../services/artifacts/folder-sweep.ts';

const DAY = 86_400_000;
const CONTENT = new TextEncoder().encode('left by a crash');

let root: string;
let folder: { readonly artifacts: string; readonly temporary: string };
let store: FolderStore;
let homes = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-sweep-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  const home = join(root, `home-${++homes}`);
  folder = { artifacts: join(home, 'artifacts'), temporary: join(home, 'tmp') };
  store = await openFolderStore(folder);
});

async function files(): Promise<StoredArtifact[]> {
  const found = [];
  for await (const file of storedFiles(folder.artifacts)) found.push(file);
  return found;
}

/** The one artifact, stored two days ago. */
async function oldFile(): Promise<StoredArtifact> {
  await store.put(CONTENT);
  const [file] = await files();
  const then = new Date(Date.now() - 2 * DAY);
  await utimes(file!.place, then, then);
  return file!;
}

describe('removing an artifact', () => {
  it('takes what has not been stored for a while', async () => {
    expect(await removeUnused(await oldFile(), Date.now() - DAY)).toBe(true);
    expect(await files()).toEqual([]);
  });

  it('puts back what is stored again between looking at its time and removing it', async () => {
    const file = await oldFile();
    const ref = await store.put(CONTENT);
    expect(await removeUnused(file, Date.now() - DAY)).toBe(false);
    expect(await store.get(ref)).toEqual(CONTENT);
    const temporary = await store.temporaryPath();
    await rename(file.place, temporary);
    await store.putFile(temporary);
    expect(await removeUnused(file, Date.now() - DAY)).toBe(false);
  });

  it.each(['get', 'path', 'has', 'put'] as const)(
    'may be cut off: %s finds what was put aside',
    async (reader) => {
      const { place: path, sha256, bytes } = await oldFile();
      await rename(path, `${path}.unused`);
      const other = await openFolderStore(folder);
      if (reader === 'put') await other.put(CONTENT);
      else expect(await other[reader]({ sha256, bytes })).not.toBe(false);
      expect(await files()).toMatchObject([{ sha256, state: 'whole' }]);
    },
  );
});
