import { createHash } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { ArtifactRef } from '../../contracts/artifacts.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { fileError } from '../../services/durable-file.ts';
import { mountSmallDisk } from '../chaos/small-disk.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-artifacts-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

async function freshStore(name: string) {
  const artifacts = join(root, name, 'artifacts');
  const temporary = join(root, name, 'tmp');
  const store = await openFolderStore({ artifacts, temporary });
  const fileOf = ({ sha256 }: ArtifactRef): string => join(artifacts, sha256.slice(0, 2), sha256);
  return { artifacts, temporary, store, fileOf };
}

async function damage(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  await chmod(path, 0o600);
  await writeFile(path, bytes);
}

/** Until this process has a file open. */
async function isOpen(path: string): Promise<void> {
  while (!openFiles().includes(path)) await turn();
}

function openFiles(): readonly string[] {
  return readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      // Closed meanwhile, as the one that listed them.
      return '';
    }
  });
}

/** Larger than one chunk, and no two chunks alike. */
function manyBytes(): Uint8Array {
  const bytes = new Uint8Array(20_000_003);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 12)) & 255;
  return bytes;
}

describe('the artifact store', () => {
  it('gives back the bytes under their SHA-256, empty and large ones too', async () => {
    const { store, temporary, fileOf } = await freshStore('round-trip');
    for (const bytes of [new Uint8Array(0), new TextEncoder().encode('policy'), manyBytes()]) {
      const ref = await store.put(bytes);
      expect(ref).toEqual({
        sha256: createHash('sha256').update(bytes).digest('hex'),
        bytes: bytes.length,
      });
      const got = await store.get(ref);
      expect(got.byteOffset).toBe(0);
      expect(Buffer.compare(got, bytes)).toBe(0);
      expect(await store.path(ref)).toBe(fileOf(ref));
      expect(await store.has(ref)).toBe(true);
    }
    expect(await readdir(temporary)).toEqual([]);
  });

  it('stores the same content once, from bytes, from files and from several at once', async () => {
    const { store, artifacts, temporary, fileOf } = await freshStore('once');
    const bytes = manyBytes();
    const refs = await Promise.all(
      [1, 2, 3].map(async (copy) => {
        if (copy === 1) return store.put(bytes);
        const path = await store.temporaryPath();
        await writeFile(path, bytes);
        return store.putFile(path);
      }),
    );
    const [ref] = refs;
    if (ref === undefined) throw new Error('nothing stored');
    expect(refs).toEqual([ref, ref, ref]);
    expect(await readdir(join(artifacts, ref.sha256.slice(0, 2)))).toEqual([ref.sha256]);
    expect(await readdir(temporary)).toEqual([]);
    expect(Buffer.compare(await readFile(fileOf(ref)), bytes)).toBe(0);
  });

  it.each(['a flipped bit', 'a cut end'])('refuses and repairs content with %s', async (kind) => {
    const { store, artifacts, temporary, fileOf } = await freshStore(kind.replaceAll(' ', '-'));
    const bytes = manyBytes();
    const ref = await store.put(bytes);
    const spoil = async (): Promise<void> => {
      await chmod(fileOf(ref), 0o600);
      await (kind === 'a cut end' ? truncate(fileOf(ref), 1_000) : damage(fileOf(ref)));
    };

    await spoil();
    // Another process, which has verified nothing yet.
    const reader = await openFolderStore({ artifacts, temporary });
    await expect(reader.path(ref)).rejects.toMatchObject({ code: 'corrupt-artifact' });
    await store.put(bytes);
    expect(Buffer.compare(await reader.get(ref), bytes)).toBe(0);

    await spoil();
    await expect(store.get(ref)).rejects.toMatchObject({ code: 'corrupt-artifact', exitCode: 2 });
    expect(await store.has(ref)).toBe(false);
    expect((await readdir(join(artifacts, ref.sha256.slice(0, 2)))).sort()).toEqual([
      `${ref.sha256}.corrupt`,
    ]);
    expect(await store.put(bytes)).toEqual(ref);
    expect(await store.path(ref)).toBe(fileOf(ref));
  });

  it('notices damage when the same content is stored again by another process', async () => {
    const { store, artifacts, temporary, fileOf } = await freshStore('put-over-damage');
    const bytes = new TextEncoder().encode('weights');
    const ref = await store.put(bytes);
    await damage(fileOf(ref));
    const other = await openFolderStore({ artifacts, temporary });
    await other.put(bytes);
    expect(Buffer.compare(await readFile(fileOf(ref)), bytes)).toBe(0);
  });

  it.skipIf(process.platform !== 'linux').each(['path', 'get', 'put'] as const)(
    'leaves whole content that replaces a damaged file while %s reads it',
    async (reader) => {
      const { store, artifacts, temporary, fileOf } = await freshStore(`replaced-${reader}`);
      const bytes = manyBytes();
      const ref = await store.put(bytes);
      const whole = join(temporary, 'whole');
      await writeFile(whole, bytes);
      await damage(fileOf(ref));
      // Another process, which has verified nothing yet.
      const other = await openFolderStore({ artifacts, temporary });
      const reading = reader === 'put' ? other.put(bytes) : other[reader](ref);
      await isOpen(fileOf(ref));
      await rename(whole, fileOf(ref));
      await reading;
      expect(await readdir(join(artifacts, ref.sha256.slice(0, 2)))).toEqual([ref.sha256]);
      expect(Buffer.compare(await readFile(fileOf(ref)), bytes)).toBe(0);
    },
  );

  it('says that content is absent, before and after its deletion', async () => {
    const { store } = await freshStore('absent');
    const absent = { sha256: 'ab'.repeat(32), bytes: 3 };
    await expect(store.get(absent)).rejects.toMatchObject({ code: 'not-found' });
    await expect(store.path(absent)).rejects.toMatchObject({ code: 'not-found' });
    const ref = await store.put(new Uint8Array([1, 2, 3]));
    await store.delete(ref.sha256);
    await store.delete(ref.sha256);
    await expect(store.get(ref)).rejects.toMatchObject({ code: 'not-found' });
    await expect(store.path(ref)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('takes nothing but hashes for an address', async () => {
    const { store } = await freshStore('address');
    await expect(store.get({ sha256: '../../services.json', bytes: 1 })).rejects.toMatchObject({
      code: 'schema',
    });
    await expect(store.delete('../tmp')).rejects.toMatchObject({ code: 'schema' });
  });

  it('clears away unfinished files of yesterday, not those of today', async () => {
    const { temporary, artifacts } = await freshStore('leftovers');
    await writeFile(join(temporary, 'old'), '');
    await writeFile(join(temporary, 'new'), '');
    const past = new Date(Date.now() - 2 * 86_400_000);
    await utimes(join(temporary, 'old'), past, past);
    await mkdir(join(temporary, 'old-folder', 'policy'), { recursive: true });
    await writeFile(join(temporary, 'old-folder', 'policy', 'model.safetensors'), 'weights');
    await utimes(join(temporary, 'old-folder'), past, past);
    const untidied = await openFolderStore({ artifacts, temporary }, { tidy: false });
    const found = await untidied.unfinished(Date.now() - 86_400_000);
    expect(new Set(found.map(({ bytes }) => bytes))).toEqual(new Set([0, 'weights'.length]));
    await openFolderStore({ artifacts, temporary });
    expect(await readdir(temporary)).toEqual(['new']);
  });
});

/** A file system of 2 MB, where we may mount one. */
async function withSmallDisk(work: (folder: string) => Promise<void>): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'toolsample-small-'));
  const disk = mountSmallDisk(folder, { megabytes: 2 });
  if (disk === null) {
    await rm(folder, { recursive: true });
    return false;
  }
  try {
    await work(folder);
  } finally {
    disk.unmount();
    await rm(folder, { recursive: true });
  }
  return true;
}

describe('a full disk', () => {
  it('is reported as such, leaves nothing half-written, and the store goes on', async (context) => {
    const mounted = await withSmallDisk(async (folder) => {
      const temporary = join(folder, 'tmp');
      const store = await openFolderStore({ artifacts: join(folder, 'artifacts'), temporary });
      const fits = await store.put(new Uint8Array(1_000));
      await expect(store.put(new Uint8Array(4_000_000))).rejects.toMatchObject({
        code: 'disk-full',
        retryable: true,
      });
      expect(await readdir(temporary)).toEqual([]);
      expect((await store.get(fits)).length).toBe(1_000);
    });
    if (!mounted) context.skip('may not mount a small file system');
  });

  it('is what ENOSPC and EDQUOT mean', () => {
    for (const code of ['ENOSPC', 'EDQUOT']) {
      const error = fileError(Object.assign(new Error(code), { code }), '/x', 'cannot write');
      expect(error.code).toBe('disk-full');
      expect(error.message).toContain('/x: cannot write: no space left');
    }
  });
});
