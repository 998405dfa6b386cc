import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StepKey } from '../../contracts/activities.ts';
import type { ArtifactRef, SweepableStore } from '../../contracts/artifacts.ts';
import { ToolsampleError, type ErrorCode } from '../../contracts/errors.ts';
import type { PolicyEngine, ShardedStepRequest } from '../../contracts/policy.ts';
import { shardedUpdate } from '../../activities/sharded-update.ts';
import type { GradientBatch } from '../../activities/gradient-batch.ts';
import type { Connection } from '../../db/connection.ts';
import { commitGradientShard, gradientShardsOf } from '../../db/gradient-shards.ts';
import { insertStep } from '../../db/steps.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const server = scratchServer();
let connection: Connection;
let root: string;
let artifacts: SweepableStore;
let runs = 0;
const BATCH = { request: {} } as unknown as GradientBatch;

beforeAll(async () => {
  connection = await server.migrated();
  root = await mkdtemp(join(tmpdir(), 'toolsample-sharded-update-'));
  artifacts = await openFolderStore({
    artifacts: join(root, 'artifacts'),
    temporary: join(root, 'tmp'),
  });
}, 120_000);
afterAll(async () => {
  await connection.close();
  await rm(root, { recursive: true, force: true });
});

/** The first step of a new run, ready for its gradient. */
async function newStep(): Promise<{ readonly run: string; readonly epoch: 1; readonly step: 1 }> {
  const run = `run-${++runs}`;
  await scratchRun(connection.db, run, scratchSamples(16), {});
  const step = { run, epoch: 1, step: 1, active: false, curriculumVersion: 0, groups: 0 };
  await insertStep(connection.db, step, { firstStep: 1, lastStep: 1 });
  return { run, epoch: 1, step: 1 };
}

const part = (shard: number, shards: number, gradients: ArtifactRef | null, plan = 'p') => ({
  shard,
  shards,
  plan,
  microBatches: gradients === null ? 0 : 1,
  gradients,
  tokens: 5,
  seconds: 2,
});

async function update(key: StepKey, engine: PolicyEngine): ReturnType<typeof shardedUpdate> {
  const deps = { db: connection.db, artifacts };
  const run = async (): ReturnType<typeof shardedUpdate> => shardedUpdate(deps, key, engine, BATCH);
  return new MockActivityEnvironment().run<[], Awaited<ReturnType<typeof run>>, typeof run>(run);
}

/** An engine that adds nothing up, but tells what it was given. */
function engine(failure?: ErrorCode) {
  const asked: ShardedStepRequest[] = [];
  const applyGradients: PolicyEngine['applyGradients'] = async (request) => {
    asked.push(request);
    if (failure !== undefined) throw new ToolsampleError(failure, 'no');
    return { loss: 1, seconds: 3 } as Awaited<ReturnType<PolicyEngine['applyGradients']>>;
  };
  return { asked, engine: { applyGradients } as PolicyEngine };
}

describe('the update from gradients of shards', { timeout: 120_000 }, () => {
  it('takes them in the order of the shards, and removes them afterwards', async () => {
    const key = await newStep();
    const [zero, two] = [
      await artifacts.put(new Uint8Array([1])),
      await artifacts.put(new Uint8Array([2])),
    ];
    await commitGradientShard(connection.db, key, part(2, 3, two));
    await commitGradientShard(connection.db, key, part(1, 3, null));
    await commitGradientShard(connection.db, key, part(0, 3, zero));
    // A second attempt that came to something else: the first one counts.
    await commitGradientShard(connection.db, key, part(0, 3, two));
    // Two workers side by side for a second, and later one alone.
    await connection.pool.query(
      `update gradient_shards set committed_at = timestamptz '2026-01-01Z' + (array[3, 4, 9])[shard + 1] * interval '1 s'
       where run = $1`,
      [key.run],
    );
    const { asked, engine: ours } = engine();
    const found = await update(key, ours);
    expect(asked[0]?.gradients).toEqual([
      { artifact: zero, microBatches: 1 },
      { artifact: two, microBatches: 1 },
    ]);
    expect(found?.result.seconds).toBe(3 + 3 + 2);
    // Another run needs one of them.
    const other = await newStep();
    await commitGradientShard(connection.db, other, part(0, 1, two));
    await connection.pool.query('delete from gradient_shards where run = $1', [key.run]);
    await found?.removeGradients();
    expect(await artifacts.has(zero)).toBe(false);
    expect(await artifacts.has(two)).toBe(true);
  });

  it.each<[string, ReturnType<typeof part>[]]>([
    ['none has come', []],
    ['one is missing', [part(0, 2, null)]],
    [
      'they were divided differently',
      [part(0, 2, { sha256: 'a'.repeat(64), bytes: 1 }), part(1, 2, null, 'other')],
    ],
    ['all are empty', [part(0, 1, null)]],
  ])('is none when %s', async (_, parts) => {
    const key = await newStep();
    for (const each of parts) await commitGradientShard(connection.db, key, each);
    const { asked, engine: ours } = engine();
    expect(await update(key, ours)).toBe(null);
    expect(asked).toEqual([]);
  });

  it.each<[ErrorCode, boolean]>([
    ['not-found', true],
    ['corrupt-artifact', true],
    ['checkpoint', true],
    ['non-finite', false],
    ['service', false],
  ])('that fails by %s is computed anew: %s', async (code, anew) => {
    const key = await newStep();
    await commitGradientShard(connection.db, key, part(0, 1, { sha256: 'c'.repeat(64), bytes: 1 }));
    const found = update(key, engine(code).engine);
    if (anew) expect(await found).toBe(null);
    else await expect(found).rejects.toMatchObject({ code });
  });

  it('writes nothing once the step is committed', async () => {
    const key = await newStep();
    await connection.pool.query(`update steps set state = 'skipped' where run = $1`, [key.run]);
    await commitGradientShard(connection.db, key, part(0, 1, null));
    expect(await gradientShardsOf(connection.db, key)).toEqual([]);
  });
});
