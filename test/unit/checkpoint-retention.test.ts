import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareFork } from '../../activities/prepare-fork.ts';
import { pruneCheckpoints } from '../../activities/prune-checkpoints.ts';
import { referenceWeights } from '../../activities/reference-weights.ts';
import { pointOf } from '../../client/run-policy.ts';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { PolicyRef } from '../../contracts/policy.ts';
import { lockArtifactReferences } from '../../db/artifact-references.ts';
import { bestPolicy, commitCheckpoint, policyAfter } from '../../db/checkpoints.ts';
import type { Connection } from '../../db/connection.ts';
import { findForkPoint } from '../../db/fork-points.ts';
import { readRun } from '../../db/runs.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { forkInput } from '../../services/configuration/fork-input.ts';
import { gate } from './support/gate.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

/** 12 samples, 4 a step: epochs of 3 steps. */
const SAMPLES = scratchSamples(12);

let root: string;
const server = scratchServer();
let connection: Connection;
let artifacts: ArtifactStore;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-retention-'));
  artifacts = await openFolderStore({
    artifacts: join(root, 'artifacts'),
    temporary: join(root, 'tmp'),
  });
  connection = await server.migrated();
}, 120_000);
afterAll(async () => {
  await connection.close();
  await rm(root, { recursive: true, force: true });
});

async function newPolicy(text: string): Promise<PolicyRef> {
  const put = async (part: string) => artifacts.put(new TextEncoder().encode(`${text} ${part}`));
  return { base: await put('base'), weights: await put('w'), optimizer: await put('o') };
}

async function commit(run: string, step: number, policy: PolicyRef, slice = 0): Promise<void> {
  const numbers = { optimizerSteps: 1, loss: 1, trainedTokens: 1, seconds: 1 };
  await commitCheckpoint(connection.db, { run, step, slice }, { policy, ...numbers }, artifacts);
}

/** Takes a run through steps as gradient steps do, each followed by an evaluation of that reward where there is one. */
async function train(
  run: string,
  config: RunConfigInput,
  rewards: readonly (number | null)[],
  shares: { readonly exactMatch?: readonly number[]; readonly onSuite?: readonly number[] } = {},
): Promise<void> {
  await scratchRun(connection.db, run, SAMPLES, { trainBatchSize: 4, ...config });
  await connection.pool.query(
    `insert into run_splits select run, 'suite', 1, corpus from run_splits where run = $1`,
    [run],
  );
  for (const [index, reward] of rewards.entries()) {
    await commit(run, index + 1, await newPolicy(`${run} ${index + 1}`));
    await pruneCheckpoints({ db: connection.db, artifacts }, { run, step: index + 1 });
    if (reward === null) continue;
    await connection.pool.query(
      `insert into evaluations (run, step, split, epoch, n, exact_match, exact_match_low, exact_match_high, reward,
         score_format, score_name, score_key, score_value, evaluation_seconds)
       select $1, $2, split, 1, 1, share, 0, 1, $3, 0, 0, 0, 0, 0
       from (values ('heldout', $4::float), ('suite', $5::float)) as splits (split, share)`,
      [run, index + 1, reward, shares.exactMatch?.[index] ?? 0, shares.onSuite?.[index] ?? 0],
    );
  }
}

/** The steps whose policies can still be read, and no others. */
async function keptSteps(run: string, steps: number): Promise<number[]> {
  const kept = [];
  for (let step = 1; step <= steps; step++) {
    const { weights, optimizer } = await policyAfter(connection.db, run, step);
    const there = [await artifacts.has(weights!), await artifacts.has(optimizer!)];
    expect(there[0]).toBe(there[1]);
    if (there[0] === true) kept.push(step);
  }
  return kept;
}

/** Steps after which there is a checkpoint, pruned or not. */
async function checkpointsOf(run: string): Promise<number[]> {
  const { rows } = await connection.pool.query<{ step: number }>(
    'select step from checkpoints where run = $1 and step > 0 order by step',
    [run],
  );
  return rows.map(({ step }) => step);
}

describe('checkpoints that are kept', () => {
  const rewards = [1, 3, 0, null, 2, 0, null, 1, 0, null, null];
  it.each([
    ['the newest, the best and the ends of epochs', {}, [2, 3, 6, 9, 10, 11]],
    ['the newest alone', { saveTotalLimit: 1, saveBest: 0, saveEpochs: 0 }, [11]],
    ['the two best', { saveTotalLimit: 1, saveBest: 2, saveEpochs: 0 }, [2, 5, 11]],
    [
      'the newest ends of epochs',
      { saveTotalLimit: 3, saveBest: 0, saveEpochs: 1 },
      [8, 9, 10, 11],
    ],
  ])('are %s', async (name, config, expected) => {
    await train(name, config, rewards);
    expect(await keptSteps(name, rewards.length)).toEqual(expected);
  });

  it('lead to the best policy: by reward, of equal ones the earlier', async () => {
    await train('equal', { saveEpochs: 0 }, [1, 2, null, 2, null, null]);
    expect(await bestPolicy(connection.db, 'equal', 'reward')).toMatchObject({ step: 2 });
    await train('unevaluated', {}, [null]);
    expect(await bestPolicy(connection.db, 'unevaluated', 'reward')).toBeNull();
  });

  it('lead to the best policy by the metric of the fork, not of the run that it took over', async () => {
    const { db } = connection;
    await train('by-reward', {}, [3, 2, 1], { exactMatch: [0.1, 0.5, 0.3] });
    const asked = forkInput({ fork: { run: 'by-reward', step: 3 }, best_metric: 'exact_match' });
    await prepareFork({ db, artifacts }, 'by-exact-match', asked!);
    for (const [run, step] of [
      ['by-reward', 1],
      ['by-exact-match', 2],
    ] as const) {
      const row = await readRun(db, run);
      expect(await findForkPoint(db, row, 'best'), run).toBe(step);
      expect(await pointOf(db, row, 'best'), run).toMatchObject({ step });
    }
  });

  it('are the best by the metric that was asked for', async () => {
    const config = { saveTotalLimit: 1, saveEpochs: 0, evalSuite: '/suite.json' };
    // Reward is best after step 1, exact matches after step 2, those on the suite after step 3.
    const exactMatch = [0.1, 0.5, 0.3, 0];
    const onSuite = [0.1, 0.1, 0.7, 0.1];
    for (const [metric, best] of [
      ['reward', 1],
      ['exact_match', 2],
      ['suite', 3],
    ] as const) {
      const run = `by ${metric}`;
      await train(run, { ...config, bestMetric: metric }, [4, 3, 2, 1], { exactMatch, onSuite });
      expect(await bestPolicy(connection.db, run, metric)).toMatchObject({ step: best });
      expect(await keptSteps(run, 4)).toEqual([best, 4]);
    }
  });

  it('include, however many steps follow, the policy that KL is measured to', async () => {
    const run = 'warm started';
    const { db } = connection;
    const config = { trainBatchSize: 4, saveTotalLimit: 1, saveBest: 0, saveEpochs: 0, beta: 0.1 };
    await scratchRun(db, run, SAMPLES, config);
    const slices = [await newPolicy('slice 1'), await newPolicy('slice 2')];
    for (const [index, policy] of slices.entries()) {
      await commit(run, 0, policy, index + 1);
      await pruneCheckpoints({ db, artifacts }, { run, step: 0 });
    }
    for (let step = 1; step <= 5; step++) {
      await commit(run, step, await newPolicy(`${run} ${step}`));
      await pruneCheckpoints({ db, artifacts }, { run, step });
      expect(await referenceWeights(db, run, config)).toEqual(slices[1]!.weights);
    }
    expect(await artifacts.has(slices[0]!.weights!)).toBe(false);
    expect(await artifacts.has(slices[1]!.weights!)).toBe(true);
    expect(await referenceWeights(db, run, { beta: 0 })).toBeNull();
    // Without a warm start it is the base, which has no weights of its own.
    await scratchRun(db, 'from the base', SAMPLES, config);
    expect(await referenceWeights(db, 'from the base', config)).toBeNull();
  });

  it('stay while somebody is about to share them', async () => {
    const config = { saveTotalLimit: 1, saveBest: 0 };
    await train('parent', config, [null]);
    await scratchRun(connection.db, 'fork', SAMPLES, { trainBatchSize: 4 });
    const shared = await policyAfter(connection.db, 'parent', 1);
    await commit('parent', 2, await newPolicy('parent 2'));
    let pruning: Promise<void> = Promise.resolve();
    await connection.db.transaction(async (tx) => {
      await lockArtifactReferences(tx);
      const policy = await policyAfter(tx, 'parent', 1);
      pruning = pruneCheckpoints({ db: connection.db, artifacts }, { run: 'parent', step: 2 });
      const numbers = { optimizerSteps: 0, loss: null, trainedTokens: 0, seconds: 0 };
      await commitCheckpoint(
        tx,
        { run: 'fork', step: 1, slice: 0 },
        { policy, ...numbers },
        artifacts,
      );
    });
    await pruning;
    expect(await artifacts.has(shared.weights!)).toBe(true);
    const { rows } = await connection.pool.query(
      `select run, step from checkpoints where pruned and run in ('parent', 'fork')`,
    );
    expect(rows).toEqual([{ run: 'parent', step: 1 }]);
  });
});

describe('pruning that is killed', () => {
  it('leaves no row that claims what is gone', async () => {
    const config = { saveTotalLimit: 1, saveBest: 0 };
    await train('killed', config, [null]);
    await commit('killed', 2, await newPolicy('killed 2'));
    const gone: string[] = [];
    const dying: ArtifactStore = {
      ...artifacts,
      async delete(sha256) {
        if (gone.length > 0) throw new Error('killed');
        gone.push(sha256);
        await artifacts.delete(sha256);
      },
    };
    const attempt = { run: 'killed', step: 2 };
    await expect(
      pruneCheckpoints({ db: connection.db, artifacts: dying }, attempt),
    ).rejects.toThrow('killed');
    const { weights } = await policyAfter(connection.db, 'killed', 1);
    expect(gone).toEqual([weights!.sha256]);
    const run = await readRun(connection.db, 'killed');
    await expect(findForkPoint(connection.db, run, { step: 1 })).rejects.toThrow(
      /after step 1 was deleted to save space .* kept are those after the steps 0, 2/,
    );
    // What has not been deleted is for gc.
    await pruneCheckpoints({ db: connection.db, artifacts }, attempt);
  });
});

/** Two runs that compute the same policies: the first one is ahead. */
describe('a policy that another run prunes while it is being committed', () => {
  const config = { saveTotalLimit: 1, saveBest: 0 };

  /** The second run has stored its policy after step 1, the first one has it too, and no longer needs it. */
  async function storedTwice(first: string, second: string): Promise<PolicyRef> {
    await scratchRun(connection.db, first, SAMPLES, { trainBatchSize: 4, ...config });
    await scratchRun(connection.db, second, SAMPLES, { trainBatchSize: 4, ...config });
    await commit(first, 1, await newPolicy(`${first} 1`));
    const policy = await newPolicy(`${first} 1`);
    await commit(first, 2, await newPolicy(`${first} 2`));
    return policy;
  }

  it('is not committed, but stored again by another attempt', async () => {
    const policy = await storedTwice('ahead', 'behind');
    await pruneCheckpoints({ db: connection.db, artifacts }, { run: 'ahead', step: 2 });
    await expect(commit('behind', 1, policy)).rejects.toMatchObject({
      code: 'service',
      retryable: true,
    });
    expect(await checkpointsOf('behind')).toEqual([]);
    await commit('behind', 1, await newPolicy('ahead 1'));
    expect(await keptSteps('behind', 1)).toEqual([1]);
    // Whoever comes late finds what counts, whatever became of its own since.
    await artifacts.delete(policy.weights!.sha256);
    await commit('behind', 1, policy);
  });

  it('is seen by whoever prunes, or waits until that has deleted it', async () => {
    const policy = await storedTwice('first', 'second');
    const deleting = gate();
    const slow: ArtifactStore = {
      ...artifacts,
      async delete(sha256) {
        await deleting.pass();
        await artifacts.delete(sha256);
      },
    };
    const pruning = pruneCheckpoints(
      { db: connection.db, artifacts: slow },
      { run: 'first', step: 2 },
    );
    await deleting.reached();
    let settled = false;
    const committing = commit('second', 1, policy).finally(() => (settled = true));
    const refused = expect(committing).rejects.toMatchObject({ code: 'service' });
    await expect
      .poll(async () => {
        const { rows } = await connection.pool.query(
          `select from pg_locks join pg_database on pg_database.oid = database
           where datname = current_database() and relation = 'checkpoints'::regclass and not granted`,
        );
        return rows.length;
      })
      .toBe(1);
    expect(settled).toBe(false);
    deleting.open();
    await pruning;
    await refused;
    expect(await checkpointsOf('second')).toEqual([]);
  });
});
