import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderName } from '../../services/own-places.ts';
import { openFolderStore, type FolderStore } from '../../services/artifacts/folder-store.ts';
import { fuzz, FUZZ_TIMEOUT } from './support/cases.ts';
import { hostileText } from './support/hostile-json.ts';

let root: string;
let store: FolderStore;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-fuzz-paths-'));
  const home = join(root, 'home');
  await mkdir(home);
  store = await openFolderStore({
    artifacts: join(home, 'artifacts'),
    temporary: join(home, 'tmp'),
  });
});
afterAll(async () => rm(root, { recursive: true, force: true }));

const climbing = (): fc.Arbitrary<string> =>
  fc.oneof(
    fc
      .array(fc.constantFrom('..', '.', '/', '\\', '~', 'a', '\0', 'C:', '\n', 'e'.repeat(300)))
      .map((parts) => parts.join('')),
    hostileText(),
  );

describe('names from outside', { timeout: FUZZ_TIMEOUT }, () => {
  it("of runs stay within the data folder's runs", async () => {
    const names = new Map<string, string>();
    // As Temporal and Postgres hand ids on: in UTF-8, which has no halves of surrogate pairs.
    const ids = climbing().map((text) => Buffer.from(text).toString());
    await fuzz(ids, (run) => {
      const name = folderName(run);
      expect(basename(name)).toBe(name);
      expect(name).toMatch(/^[\w~.-]{1,100}$/);
      expect(['.', '..']).not.toContain(name);
      // Two runs never share a folder.
      expect(names.get(name) ?? run).toBe(run);
      names.set(name, run);
    });
  });

  it('of artifacts are hashes or refused', async () => {
    const hash = fc.oneof(
      climbing(),
      fc.string({
        unit: fc.constantFrom(...'0123456789abcdef/.'.split('')),
        minLength: 60,
        maxLength: 68,
      }),
    );
    await fuzz(hash, async (sha256) => {
      fc.pre(!/^[0-9a-f]{64}$/.test(sha256));
      const ref = { sha256, bytes: 1 };
      await expect(store.get(ref)).rejects.toMatchObject({ code: 'schema' });
      await expect(store.path(ref)).rejects.toMatchObject({ code: 'schema' });
      await expect(store.has(ref)).rejects.toMatchObject({ code: 'schema' });
      await expect(store.delete(sha256)).rejects.toMatchObject({ code: 'schema' });
    });
    expect(await readdir(root)).toEqual(['home']);
  });
});
