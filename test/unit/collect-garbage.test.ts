import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { pruneCheckpoints } from '../../activities/prune-checkpoints.ts';
import { collectGarbage } from '../../client/collect-garbage.ts';
import type { ArtifactRef, SweepableStore } from '../../contracts/artifacts.ts';
import type { PolicyRef } from '../../contracts/policy.ts';
import { markPruned } from '../../db/checkpoint-retention.ts';
import { commitCheckpoint } from '../../db/checkpoints.ts';
import { claimStore } from '../../db/artifact-store.ts';
import type { Connection } from '../../db/connection.ts';
import { recordEvent } from '../../db/events.ts';
import { openArtifactStore } from '../../services/artifact-store.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { CREDENTIALS, startObjectServer } from './support/object-store.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const SAMPLES = scratchSamples(8);
const DAY = 86_400_000;

let root: string;
const server = scratchServer();
let connection: Connection;
let folder: { readonly artifacts: string; readonly temporary: string };
let store: SweepableStore;
let homes = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-garbage-'));
}, 120_000);
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  connection = await server.migrated();
  const home = join(root, `home-${++homes}`);
  folder = { artifacts: join(home, 'artifacts'), temporary: join(home, 'tmp') };
  store = await openFolderStore(folder);
  return async () => connection.close();
});

async function put(text: string): Promise<ArtifactRef> {
  return store.put(new TextEncoder().encode(text));
}

/** A run whose base policy has one file, and the checkpoints of so many steps. */
async function run(name: string, steps: number): Promise<PolicyRef[]> {
  const file = await put(`${name}: tokenizer`);
  const base = await put(JSON.stringify({ files: { 'tokenizer.json': file } }));
  const policies: PolicyRef[] = [{ base, weights: null, optimizer: null }];
  await scratchRun(connection.db, name, SAMPLES, { trainBatchSize: 4 }, policies[0]);
  for (let step = 1; step <= steps; step++) {
    const weights = await put(`${name}: weights of ${step}`);
    const optimizer = await put(`${name}: optimiser of ${step}`);
    policies.push({ base, weights, optimizer });
    await checkpoint(name, step, policies.at(-1)!);
  }
  return policies;
}

async function checkpoint(name: string, step: number, policy: PolicyRef): Promise<void> {
  const numbers = { optimizerSteps: 1, loss: 1, trainedTokens: 1, seconds: 1 };
  await commitCheckpoint(
    connection.db,
    { run: name, step, slice: 0 },
    { policy, ...numbers },
    null,
  );
}

/** Makes all that is stored so far look two days old. */
async function age(): Promise<void> {
  const then = new Date(Date.now() - 2 * DAY);
  for await (const { place } of store.stored()) await utimes(place, then, then);
  for (const name of await readdir(folder.temporary)) {
    await utimes(join(folder.temporary, name), then, then);
  }
}

function place({ sha256 }: ArtifactRef): string {
  return join(folder.artifacts, sha256.slice(0, 2), sha256);
}

async function hashes(): Promise<string[]> {
  const found = [];
  for await (const { sha256 } of store.stored()) found.push(sha256);
  return found.sort();
}

describe('collecting garbage', () => {
  it('removes what no row of any run refers to, and nothing that one needs', async () => {
    const parent = await run('parent', 3);
    await run('other', 1);
    // A fork shares what its parent had; the parent has pruned it since.
    const child = await run('child', 0);
    await checkpoint('child', 2, parent[2]!);
    await markPruned(connection.db, { run: 'parent', step: 1, slice: 0 });
    await markPruned(connection.db, { run: 'parent', step: 2, slice: 0 });
    const demonstrations = await put('demonstrations of a file');
    await recordEvent(connection.db, 'other', {
      event: 'demonstrations/1',
      kind: 'demonstrations',
      message: '',
      details: { ...demonstrations },
    });
    const needed = (await hashes()).filter(
      (sha256) => ![parent[1]!.weights!.sha256, parent[1]!.optimizer!.sha256].includes(sha256),
    );
    const left = await put('weights of a step that was never committed');
    await writeFile(join(folder.temporary, '1-cut-off'), 'half');
    await age();
    const before = await hashes();

    const planned = await collectGarbage(connection.db, store, { dryRun: true });
    expect(await hashes()).toEqual(before);
    expect(await readdir(folder.temporary)).toHaveLength(1);
    const report = await collectGarbage(connection.db, store);
    expect({ ...planned, dryRun: false }).toEqual(report);
    expect(report).toMatchObject({
      olderThanHours: 24,
      removed: {
        unused: { files: 3 },
        unfinished: { files: 1, bytes: 4 },
        damaged: { files: 0, bytes: 0 },
      },
      kept: { used: { files: needed.length }, young: { files: 0 } },
    });
    expect(await hashes()).toEqual(needed);
    expect(await readdir(folder.temporary)).toEqual([]);
    await expect(store.get(left)).rejects.toMatchObject({ code: 'not-found' });
    expect(await store.has(parent[2]!.weights!)).toBe(true);
    expect(child).toHaveLength(1);
    expect((await collectGarbage(connection.db, store)).removed.unused.files).toBe(0);
  });

  it('removes what pruning has left that was killed', async () => {
    const policies = await run('mine', 5);
    const dying = { ...store, delete: async () => Promise.reject(new Error('killed')) };
    const pruning = pruneCheckpoints(
      { db: connection.db, artifacts: dying },
      { run: 'mine', step: 5 },
    );
    await expect(pruning).rejects.toThrow('killed');
    await age();
    expect((await collectGarbage(connection.db, store)).removed.unused.files).toBe(2);
    for (const [step, { weights, optimizer }] of policies.entries()) {
      if (step === 0) continue;
      expect(await store.has(weights!)).toBe(step !== 1);
      expect(await store.has(optimizer!)).toBe(step !== 1);
    }
  });

  it('does so in a bucket, too', async () => {
    const objects = await startObjectServer();
    try {
      for (const [name, value] of Object.entries(CREDENTIALS)) vi.stubEnv(name, value);
      vi.stubEnv('TOOLSAMPLE_ARTIFACTS', objects.location('toolsample'));
      store = await openArtifactStore({ ...folder, cache: join(root, 'cache') });
      await run('mine', 2);
      const needed = await hashes();
      await put('weights of a step that was never committed');
      const then = new Date(Date.now() - 2 * DAY);
      for await (const { place } of store.stored()) {
        await utimes(objects.file(`toolsample/${place}`), then, then);
      }
      const fresh = await put('not committed yet');
      const planned = await collectGarbage(connection.db, store, { dryRun: true });
      expect(await hashes()).toHaveLength(needed.length + 2);
      const report = await collectGarbage(connection.db, store);
      expect({ ...planned, dryRun: false }).toEqual(report);
      expect(report).toMatchObject({
        removed: { unused: { files: 1 }, unfinished: { files: 0 }, damaged: { files: 0 } },
        kept: { used: { files: needed.length }, young: { files: 1 } },
      });
      expect(await hashes()).toEqual([...needed, fresh.sha256].sort());
    } finally {
      vi.unstubAllEnvs();
      await objects.stop();
    }
  });

  it('removes what a run leaves whose rows were deleted', async () => {
    await run('kept', 1);
    const needed = await hashes();
    await run('deleted', 2);
    await connection.pool.query(`
      delete from checkpoints where run = 'deleted'; delete from events where run = 'deleted';
      delete from curriculum_versions where run = 'deleted'; delete from run_splits where run = 'deleted';
      delete from runs where run = 'deleted'`);
    await age();
    await collectGarbage(connection.db, store);
    expect(await hashes()).toEqual(needed);
  });

  it('leaves what is being written: new content, and old content that is stored again', async () => {
    await run('mine', 1);
    const again = await put('left by a crash');
    const unrelated = await put('left by another crash');
    await age();
    await put('left by a crash');
    const fresh = await put('not committed yet');
    const { removed, kept } = await collectGarbage(connection.db, store);
    expect([removed.unused.files, kept.young.files]).toEqual([1, 2]);
    expect(await store.has(again)).toBe(true);
    expect(await store.has(fresh)).toBe(true);
    expect(await store.has(unrelated)).toBe(false);
  });

  it('ends what a sweep that was killed has begun', async () => {
    const [, trained] = await run('mine', 1);
    const needed = await hashes();
    const unused = await put('left by a crash');
    await age();
    for (const ref of [trained!.weights!, unused]) await rename(place(ref), `${place(ref)}.unused`);
    const { removed } = await collectGarbage(connection.db, store);
    expect(removed.unused.files).toBe(1);
    expect(await hashes()).toEqual(needed);
    expect(await store.has(trained!.weights!)).toBe(true);
  });

  it('keeps a damaged file as long as it is all that there is of what is needed', async () => {
    const [, trained] = await run('mine', 1);
    const [needed, unused] = [trained!.weights!, await put('left by a crash')];
    for (const ref of [needed, unused]) await rename(place(ref), `${place(ref)}.corrupt`);
    await age();
    // Without any weights in place, the database could be another data folder's.
    await checkpoint('mine', 2, { ...trained!, weights: await put('mine: weights of 2') });
    expect((await collectGarbage(connection.db, store)).removed.damaged.files).toBe(1);
    await put('mine: weights of 1');
    expect((await collectGarbage(connection.db, store)).removed.damaged.files).toBe(1);
    expect(await store.has(needed)).toBe(true);
  });

  it('refuses a database that is not the one of the data folder, and removes nothing', async () => {
    const mine = connection;
    await run('mine', 1);
    await age();
    connection = await server.migrated();
    const before = await hashes();
    const refused = { code: 'config', exitCode: 2 };
    await expect(collectGarbage(connection.db, store)).rejects.toMatchObject(refused);
    const base = await put(JSON.stringify({ files: {} }));
    await scratchRun(
      connection.db,
      'theirs',
      SAMPLES,
      {},
      { base, weights: null, optimizer: null },
    );
    const elsewhere = { sha256: createHash('sha256').update('theirs').digest('hex'), bytes: 6 };
    await checkpoint('theirs', 1, { base, weights: elsewhere, optimizer: elsewhere });
    await expect(collectGarbage(connection.db, store)).rejects.toMatchObject(refused);
    expect((await hashes()).filter((sha256) => sha256 !== base.sha256)).toEqual(before);
    // Its own again; a manifest is missing, so nobody can tell which files of a policy are needed.
    await rm(place(base));
    await connection.close();
    connection = mine;
    const gone = { base: elsewhere, weights: null, optimizer: null };
    await scratchRun(connection.db, 'damaged', SAMPLES, {}, gone);
    await expect(collectGarbage(connection.db, store)).rejects.toMatchObject({
      code: 'not-found',
    });
    expect(await hashes()).toEqual(before);
  });

  it('tells its own store by the mark that workers leave, where no run tells it', async () => {
    const left = await put('an evaluation that has completed');
    await age();
    await expect(collectGarbage(connection.db, store)).rejects.toMatchObject({ code: 'config' });
    await claimStore(connection.db, store);
    const { removed, kept } = await collectGarbage(connection.db, store);
    expect([removed.unused.files, kept.used.files]).toEqual([1, 1]);
    expect(await store.has(left)).toBe(false);
    await claimStore(connection.db, store);
    expect(await hashes()).toHaveLength(1);
  });

  it('refuses to take away what may be in the making', async () => {
    await expect(
      collectGarbage(connection.db, store, { olderThanHours: 0.5 }),
    ).rejects.toMatchObject({ code: 'config' });
  });
});
