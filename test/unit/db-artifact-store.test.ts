import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SweepableStore } from '../../contracts/artifacts.ts';
import { claimStore, isOwnStore } from '../../db/artifact-store.ts';
import { commitCheckpoint } from '../../db/checkpoints.ts';
import type { Connection } from '../../db/connection.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const FOREIGN = { code: 'config', exitCode: 2 };

let root: string;
const server = scratchServer();
let connection: Connection;
let stores = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-stores-'));
}, 120_000);
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  connection = await server.migrated();
  return async () => connection.close();
});

async function openStore(): Promise<SweepableStore> {
  const home = join(root, `store-${++stores}`);
  return openFolderStore({ artifacts: join(home, 'artifacts'), temporary: join(home, 'tmp') });
}

async function hashes(store: SweepableStore): Promise<string[]> {
  const found = [];
  for await (const { sha256 } of store.stored()) found.push(sha256);
  return found;
}

/** A run of which one checkpoint's weights are in this store. */
async function trainedRun(store: SweepableStore): Promise<void> {
  const put = async (text: string) => store.put(new TextEncoder().encode(text));
  const policy = { base: await put('{}'), weights: await put('weights'), optimizer: null };
  const samples = scratchSamples(4);
  await scratchRun(connection.db, 'run', samples, {}, { ...policy, weights: null });
  const numbers = { optimizerSteps: 1, loss: 1, trainedTokens: 1, seconds: 1 };
  await commitCheckpoint(
    connection.db,
    { run: 'run', step: 1, slice: 0 },
    { policy, ...numbers },
    store,
  );
}

describe('the store of a database', () => {
  it('is the first that a worker comes with, and no other', async () => {
    const [own, other] = [await openStore(), await openStore()];
    expect(await isOwnStore(connection.db, own)).toBe(false);
    await claimStore(connection.db, own);
    await claimStore(connection.db, own);
    expect(await hashes(own)).toHaveLength(1);
    await expect(claimStore(connection.db, other)).rejects.toMatchObject({
      ...FOREIGN,
      message: expect.stringContaining(other.place),
    });
    expect(await hashes(other)).toEqual([]);
    expect(await isOwnStore(connection.db, own)).toBe(true);
    expect(await isOwnStore(connection.db, other)).toBe(false);
  });

  it('is one, whoever comes at the same time', async () => {
    const all = [];
    for (let i = 0; i < 4; i++) all.push(await openStore());
    const claims = await Promise.allSettled(
      all.flatMap((store) => [claimStore(connection.db, store), claimStore(connection.db, store)]),
    );
    const claimed = claims.flatMap(({ status }, i) => (status === 'fulfilled' ? [i >> 1] : []));
    expect(new Set(claimed).size).toBe(1);
    expect(claimed).toHaveLength(2);
    const left = await Promise.all(all.map(async (store) => (await hashes(store)).length));
    expect(left.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 1]);
  });

  it('is where older code has stored weights, and is known by them when its mark is lost', async () => {
    const [own, other] = [await openStore(), await openStore()];
    await trainedRun(own);
    await expect(claimStore(connection.db, other)).rejects.toMatchObject(FOREIGN);
    await claimStore(connection.db, own);
    const { rows } = await connection.pool.query<{ mark: string }>(
      'select mark_sha256 as mark from artifact_store',
    );
    await own.delete(rows[0]?.mark ?? '');
    await claimStore(connection.db, own);
    await expect(claimStore(connection.db, other)).rejects.toMatchObject(FOREIGN);
    expect(await hashes(own)).toHaveLength(3);
  });
});
