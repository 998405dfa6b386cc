import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ArtifactRef, StoredArtifact, SweepableStore } from '../../contracts/artifacts.ts';
import { openArtifactStore } from '../../services/artifact-store.ts';
import { artifactLocation } from '../../services/artifacts/artifact-location.ts';
import { bucketSweep, objectName, yieldToSweep } from '../../services/artifacts/bucket-sweep.ts';
import { openBucket } from '../../services/artifacts/bucket.ts';
import { startHttpFaults, type HttpFaults } from '../chaos/http-faults.ts';
import { startProxy } from '../chaos/proxy.ts';
import { CREDENTIALS, startObjectServer, type ObjectServer } from './support/object-store.ts';

const HOUR = 3_600_000;
const PREFIX = 'team/toolsample';

let root: string;
let server: ObjectServer;
/** The way to the server; requests that fetch an artifact can be hurt. */
let way: HttpFaults;
let machines = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-bucket-'));
  server = await startObjectServer();
  way = await startHttpFaults(server.port);
});
afterAll(async () => {
  await way.close();
  await server.stop();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => {
  for (const [name, value] of Object.entries(CREDENTIALS)) vi.stubEnv(name, value);
  vi.stubEnv('TOOLSAMPLE_ARTIFACTS', server.location(PREFIX, way.port));
  way.faults.length = 0;
  way.requests.length = 0;
  return () => vi.unstubAllEnvs();
});

/** The store as a machine sees it that has nothing yet. */
async function machine(cache = join(root, `machine-${++machines}`)): Promise<SweepableStore> {
  const folder = (name: string): string => join(cache, name);
  return openArtifactStore({
    artifacts: folder('artifacts'),
    temporary: folder('tmp'),
    cache: folder('cache'),
  });
}

/** Bytes that no other test stores. */
function fresh(size = 1_000): Uint8Array {
  machines++;
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 12) + machines * 7) & 255;
  new DataView(bytes.buffer).setUint32(0, machines);
  return bytes;
}

function fileOf({ sha256 }: Pick<ArtifactRef, 'sha256'>): string {
  return server.file(`${PREFIX}/${objectName(sha256)}`);
}

async function allStored(store: SweepableStore): Promise<StoredArtifact[]> {
  const found = [];
  for await (const each of store.stored()) found.push(each);
  return found;
}

/** An artifact that was stored two hours ago. */
async function old(
  store: SweepableStore,
): Promise<{ bytes: Uint8Array; artifact: StoredArtifact }> {
  const bytes = fresh();
  const { sha256 } = await store.put(bytes);
  const then = new Date(Date.now() - 2 * HOUR);
  await utimes(fileOf({ sha256 }), then, then);
  const artifact = (await allStored(store)).find((each) => each.sha256 === sha256);
  if (artifact === undefined) throw new Error('not stored');
  return { bytes, artifact };
}

function writes(): string[] {
  return way.requests.filter((request) => request.startsWith('PUT'));
}

describe('artifacts in a bucket', () => {
  it('are read elsewhere as they were stored: empty ones, small ones, and those that go in parts', async () => {
    const here = await machine();
    const there = await machine();
    for (const bytes of [new Uint8Array(0), fresh(), fresh(20_000_003)]) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const ref = await here.put(bytes);
      expect(ref).toEqual({ sha256, bytes: bytes.length });
      expect(Buffer.compare(await readFile(fileOf(ref)), bytes)).toBe(0);
      expect(await there.has(ref)).toBe(true);
      const got = await there.get(ref);
      expect(got.byteOffset).toBe(0);
      expect(Buffer.compare(got, bytes)).toBe(0);
    }
    const path = await here.temporaryPath();
    const bytes = fresh(17_000_000);
    await writeFile(path, bytes);
    const ref = await here.putFile(path);
    const found = await there.reading(async (files) => readFile(await files.path(ref)));
    expect(Buffer.compare(found, bytes)).toBe(0);
    expect((await allStored(there)).map(({ sha256 }) => sha256)).toContain(ref.sha256);
  });

  it('are sent once and fetched once a machine', async () => {
    const [here, there] = [await machine(), await machine()];
    const bytes = fresh();
    const ref = await here.put(bytes);
    await here.put(bytes);
    await there.put(bytes);
    expect(writes()).toHaveLength(1);
    await here.get(ref);
    await there.get(ref);
    const third = await machine();
    await Promise.all([third.get(ref), third.get(ref), third.get(ref)]);
    expect(
      way.requests.filter((request) => request.includes(ref.sha256) && request.startsWith('GET')),
    ).toHaveLength(1);
  });

  it('that are deleted or were never there are told as missing', async () => {
    const [here, there] = [await machine(), await machine()];
    const ref = await here.put(fresh());
    await here.delete(ref.sha256);
    await here.delete(ref.sha256);
    for (const store of [here, there]) {
      expect(await store.has(ref)).toBe(false);
      await expect(store.get(ref)).rejects.toMatchObject({ code: 'not-found' });
    }
    await expect(here.get({ sha256: '../../x', bytes: 1 })).rejects.toMatchObject({
      code: 'schema',
    });
  });

  it.each<[string, HttpFaults['faults']]>([
    ['the server is busy', [1, 2].map(() => ({ kind: 'status', status: 503 }))],
    [
      'the connection breaks, again and again',
      [0, 30, 1_000_000, 500_000].map((after) => ({ kind: 'cut', after })),
    ],
    ['a bit turns on the way', [{ kind: 'corrupt' }, { kind: 'corrupt' }]],
  ])('arrive whole when %s', async (_name, faults) => {
    const bytes = fresh(3_000_000);
    const ref = await (await machine()).put(bytes);
    way.faults.push(...faults);
    expect(Buffer.compare(await (await machine()).get(ref), bytes)).toBe(0);
    expect(way.faults).toEqual([]);
  });

  it('that are damaged are refused, and repaired by storing them again', async () => {
    const here = await machine();
    const bytes = fresh();
    const ref = await here.put(bytes);
    for (const damaged of [Buffer.from(bytes).fill(0, 500, 501), bytes.subarray(0, 900)]) {
      await writeFile(fileOf(ref), damaged);
      const there = await machine();
      await expect(there.get(ref)).rejects.toMatchObject({ code: 'corrupt-artifact' });
      // It is still there, for whoever looks for the cause.
      expect((await readFile(fileOf(ref))).length).toBe(damaged.length);
      await there.put(bytes);
      expect(Buffer.compare(await (await machine()).get(ref), bytes)).toBe(0);
    }
  });

  it('cannot be had while the server is away, which is said, and then can', async () => {
    const proxy = await startProxy(server.port);
    try {
      vi.stubEnv('TOOLSAMPLE_ARTIFACTS', server.location(PREFIX, proxy.port));
      const store = await machine();
      proxy.cut();
      const failed = store.put(fresh());
      await expect(failed).rejects.toMatchObject({ code: 'service', retryable: true });
      await expect(failed).rejects.toThrow(
        /s3:\/\/artifacts\/team\/toolsample: .* does not answer/,
      );
      proxy.restore();
      const ref = await store.put(fresh());
      expect(await store.has(ref)).toBe(true);
    } finally {
      await proxy.close();
    }
  });

  it('are refused to an account that is not known, without telling its key', async () => {
    const secret = 'planted-key-51d0c7';
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'UNKNOWN');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret);
    const error: unknown = await (await machine()).put(fresh()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'config', exitCode: 2 });
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(secret);
  });
});

describe('copies on a machine', () => {
  it('take no more room than they may, and stay while they are read', async () => {
    vi.stubEnv('TOOLSAMPLE_ARTIFACTS_CACHE', '1MB');
    const cache = join(root, 'small-cache');
    const here = await machine(cache);
    const used = fresh(300_000);
    const first = await here.put(used);
    const copies = join(cache, 'cache', 'artifacts', 'copies');
    const sizes = async (): Promise<number[]> => {
      const names = await readdir(copies, { recursive: true, withFileTypes: true });
      const files = names.filter((each) => each.isFile());
      return Promise.all(files.map(async ({ path, name }) => (await stat(join(path, name))).size));
    };
    // Another process on the same machine.
    const beside = await machine(cache);
    await beside.reading(async (files) => {
      const path = await files.path(first);
      for (let i = 0; i < 8; i++) {
        await here.put(fresh(300_000));
        expect((await sizes()).reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(1_000_000);
      }
      expect(await readdir(join(copies, first.sha256.slice(0, 2))).catch(() => [])).not.toContain(
        first.sha256,
      );
      expect(Buffer.compare(await readFile(path), used)).toBe(0);
    });
    expect(await readdir(join(cache, 'cache', 'artifacts', 'held'))).toEqual([]);
    // Larger than all of it: read all the same.
    const large = fresh(3_000_000);
    const ref = await here.put(large);
    expect(Buffer.compare(await beside.get(ref), large)).toBe(0);
    expect((await sizes()).reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(1_000_000);
  });

  it('that are damaged are fetched again', async () => {
    const cache = join(root, 'damaged-cache');
    const bytes = fresh();
    const ref = await (await machine(cache)).put(bytes);
    const copy = join(cache, 'cache', 'artifacts', 'copies', objectName(ref.sha256));
    await rm(copy);
    await writeFile(copy, new Uint8Array(bytes.length));
    expect(Buffer.compare(await (await machine(cache)).get(ref), bytes)).toBe(0);
  });
});

describe('removing what nobody needs from a bucket', () => {
  it('takes what is old, and leaves what was stored again', async () => {
    const store = await machine();
    const { artifact, bytes } = await old(store);
    await store.put(bytes);
    expect(await store.removeUnused(artifact, Date.now() - HOUR)).toBe(false);
    expect(await store.has(artifact)).toBe(true);
    const other = await old(store);
    expect(await store.removeUnused(other.artifact, Date.now() - HOUR)).toBe(true);
    expect(await store.has(other.artifact)).toBe(false);
    expect(await store.removeUnused(other.artifact, Date.now() - HOUR)).toBe(false);
  });

  it('loses nothing that is stored at that very moment', async () => {
    const [store, sweeper] = [await machine(), await machine()];
    for (let round = 0; round < 12; round++) {
      const { artifact, bytes } = await old(store);
      await Promise.all([
        sweeper.removeUnused(artifact, Date.now() - HOUR),
        new Promise((resolve) => setTimeout(resolve, round)).then(async () => store.put(bytes)),
      ]);
      expect(await store.has(artifact)).toBe(true);
    }
  });

  it('is noticed by whoever stored while it removed, and looks for its mark when it is done', async () => {
    const location = artifactLocation({
      ...process.env,
      TOOLSAMPLE_ARTIFACTS: server.location(PREFIX),
    });
    if (location.kind !== 's3') throw new Error('not a bucket');
    const bucket = openBucket(location);
    const { artifact, bytes } = await old(await machine());
    // Stored between the sweep's look and its removal.
    const sweep = bucketSweep({
      ...bucket,
      find: async (name) => {
        const found = await bucket.find(name);
        await bucket.write(name, { ...artifact, body: () => bytes });
        return found;
      },
    });
    expect(await sweep.removeUnused(artifact, Date.now() - HOUR)).toBe(true);
    expect(await yieldToSweep(bucket, artifact.sha256)).toBe(false);
    await bucket.write(objectName(artifact.sha256), { ...artifact, body: () => bytes });
    expect(await yieldToSweep(bucket, artifact.sha256)).toBe(true);
  });

  it('may be killed: the mark that it leaves delays a writer, and is cleared away', async () => {
    const store = await machine();
    const { artifact } = await old(store);
    // Cut off when it removes the object.
    const sweeper = await startHttpFaults(
      server.port,
      ({ method, url = '' }) =>
        method === 'DELETE' && url.includes(`/${objectName(artifact.sha256)}`),
    );
    try {
      vi.stubEnv('TOOLSAMPLE_ARTIFACTS', server.location(PREFIX, sweeper.port));
      sweeper.faults.push({ kind: 'status', status: 403 });
      await expect((await machine()).removeUnused(artifact, Date.now() - HOUR)).rejects.toThrow();
    } finally {
      await sweeper.close();
    }
    expect(await store.unfinished(Date.now() - HOUR)).toEqual([]);
    const [mark] = await store.unfinished(Date.now() + HOUR);
    await mark?.remove();
    expect(await store.unfinished(Date.now() + HOUR)).toEqual([]);
    expect(await store.has(artifact)).toBe(true);
  });
});

describe('TOOLSAMPLE_ARTIFACTS', () => {
  it.each([
    'bucket/prefix',
    'https://bucket.s3.amazonaws.com/prefix',
    's3://',
    's3://key:planted@bucket/prefix',
    's3://bucket/prefix?secret=planted',
    's3://bucket/prefix?endpoint=http://user:planted@host',
    's3://bucket/prefix?path_style=planted',
  ])('refuses %s without repeating it', async (given) => {
    vi.stubEnv('TOOLSAMPLE_ARTIFACTS', given);
    const refused: unknown = await machine().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'config', exitCode: 2 });
    expect(inspect(refused)).not.toContain('planted');
  });

  it('refuses a cache without a size', async () => {
    vi.stubEnv('TOOLSAMPLE_ARTIFACTS_CACHE', 'much');
    await expect(machine()).rejects.toThrow('TOOLSAMPLE_ARTIFACTS_CACHE is not a size');
  });

  it('may be a folder, for those who share one', async () => {
    vi.stubEnv('TOOLSAMPLE_ARTIFACTS', join(root, 'shared'));
    const bytes = fresh();
    const ref = await (await machine()).put(bytes);
    expect(await (await machine()).get(ref)).toEqual(bytes);
    expect((await stat(join(root, 'shared', objectName(ref.sha256)))).size).toBe(bytes.length);
  });
});
