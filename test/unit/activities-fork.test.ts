import { drizzle } from 'drizzle-orm/node-postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeSettings } from '../../activities/change-settings.ts';
import { prepareFork } from '../../activities/prepare-fork.ts';
import { runPlan } from '../../activities/run-plan.ts';
import type { RunPlan } from '../../contracts/activities.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { PolicyRef } from '../../contracts/policy.ts';
import { referredTo } from '../../db/artifact-references.ts';
import { markPruned } from '../../db/checkpoint-retention.ts';
import { findCheckpoint } from '../../db/checkpoints.ts';
import type { Connection } from '../../db/connection.ts';
import { eventsOf } from '../../db/events.ts';
import { copySteps, insertFork, shareCheckpoints } from '../../db/forks.ts';
import { findRun } from '../../db/runs.ts';
import { runStatus } from '../../db/run-status.ts';
import { forkInput } from '../../services/configuration/fork-input.ts';
import { comparableRows } from './support/comparable-rows.ts';
import { scratchArtifacts } from './support/scratch-artifacts.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import { takeStep } from './support/scratch-steps.ts';

/** 30 samples, 5 a step: three epochs of six steps. */
const SAMPLES = scratchSamples(30);
const G = 8;
const CONFIG: RunConfigInput = {
  trainBatchSize: 5,
  numGenerations: G,
  oversample: 1.25,
  maxBackfillRounds: 2,
  rolloutShardSize: 4,
  numTrainEpochs: 3,
  sampling: { activationPatience: 2 },
};
const PARENT = 'the-parent';
const STEPS = 9;
/** What changes before steps 4 and 7. A sample keeps the category that it had under the thresholds of its last visit. */
const AT_4 = { 'sampling.hard_threshold': 3.5, mastery_rate: 0.5 };
const AT_7 = { 'sampling.variance_threshold': 0.6 };

const server = scratchServer();
const artifacts = await scratchArtifacts();
let connection: Connection;
/** The parent's rows after each step, by step. */
const parentAfter: Map<string, string[]>[] = [];

beforeAll(async () => {
  connection = await server.migrated();
  await scratchRun(connection.db, PARENT, SAMPLES, CONFIG);
  parentAfter.push(await comparableRows(connection.pool, PARENT));
  for (let step = 1; step <= STEPS; step++) {
    if (step === 4) await set(PARENT, AT_4, 'a');
    if (step === 7) await set(PARENT, AT_7, 'b');
    await take(PARENT, step);
    parentAfter.push(await comparableRows(connection.pool, PARENT));
  }
}, 240_000);

afterAll(async () => {
  await connection.close();
});

async function set(
  run: string,
  settings: { readonly [key: string]: number },
  request = 'asked',
): Promise<void> {
  await changeSettings(
    { ...connection, artifacts },
    { run, request, by: 'ada', via: 'update', settings },
  );
}

/** A step whose policy is no other step's. */
async function take(run: string, step: number): Promise<void> {
  const artifact = (part: string) => ({ sha256: `${part}${step}`.padEnd(64, '0'), bytes: step });
  const policy: PolicyRef = {
    base: { sha256: 'a'.repeat(64), bytes: 1 },
    weights: artifact('aa'),
    optimizer: artifact('bb'),
  };
  await takeStep(connection, { run, epoch: Math.ceil(step / 6), step }, G, undefined, policy);
}

async function fork(
  run: string,
  asked: RunConfigInput,
  { db }: Pick<Connection, 'db'> = connection,
): Promise<RunPlan> {
  const input = forkInput(asked);
  if (input === null) throw new Error('no fork');
  await prepareFork({ db, artifacts }, run, input);
  return runPlan(db, run);
}

/** Rows by table, but for the run's own: that of a scratch run is not as `prepareRun` would have it. */
function withoutRun(rows: Map<string, string[]> | undefined): { [table: string]: string[] } {
  const { runs: _runs, ...others } = Object.fromEntries(rows ?? []);
  return others;
}

describe('a fork', { timeout: 240_000 }, () => {
  it.each([0, 2, 5, 6, 8, 9])(
    'of step %i has the rows that its parent had then, and goes on as its parent did',
    async (at) => {
      const before = await comparableRows(connection.pool, PARENT);
      const run = `fork-of-${at}`;
      const plan = await fork(run, { fork: { run: PARENT, step: at } });
      expect(plan).toMatchObject({ committedStep: at, totalSteps: 18, forkOf: PARENT });

      const rows = withoutRun(await comparableRows(connection.pool, run));
      const expected = withoutRun(parentAfter[at]);
      if (at > 3) expect(rows['sample_statistics']?.length).toBeGreaterThan(12);
      // Requested after step 6: the parent's next step has it, and so has the fork's.
      if (at === 6) {
        expect(rows['setting_changes']).toHaveLength(3);
        expect(rows['events']).toEqual(withoutRun(parentAfter[7])['events']);
      } else {
        expect(rows['setting_changes']).toEqual(expected['setting_changes']);
        expect(rows['events']).toEqual(expected['events']);
      }
      for (const table of Object.keys(expected)) {
        if (table === 'setting_changes' || table === 'events') continue;
        expect(rows[table], table).toEqual(expected[table]);
      }
      for (let step = at + 1; step <= STEPS; step++) {
        if (step === 4) await set(run, AT_4, 'a');
        if (step === 7 && at < 6) await set(run, AT_7, 'b');
        await take(run, step);
      }
      const [end, parentEnd] = [
        withoutRun(await comparableRows(connection.pool, run)),
        withoutRun(parentAfter[STEPS]),
      ];
      // Who asked for what has keys of its own.
      for (const table of Object.keys(parentEnd)) {
        if (table === 'setting_changes' || table === 'events') continue;
        expect(end[table], table).toEqual(parentEnd[table]);
      }
      expect(await comparableRows(connection.pool, PARENT)).toEqual(before);
    },
  );

  it('tells where it comes from', async () => {
    await fork('told', { fork: { run: PARENT, epoch: 1, by: 'ada' }, lr: 1e-5 });
    const status = await runStatus(connection.db, 'told');
    expect(status).toMatchObject({
      state: 'running',
      step: 6,
      forkOf: { run: PARENT, step: 6, epoch: 1 },
    });
    expect(status.settings.at(-1)).toEqual({
      key: 'learningRate',
      from: 4e-4,
      to: 1e-5,
      fromStep: 7,
    });
    const event = (await eventsOf(connection.db, 'told')).find(({ kind }) => kind === 'forked');
    expect(event).toMatchObject({
      step: 6,
      message: `fork of ${PARENT}@1 (step 6), with another learningRate`,
      details: { run: PARENT, step: 6, by: 'ada', to: { learningRate: 1e-5 } },
    });
    expect((await runStatus(connection.db, PARENT)).forkOf).toBeNull();
  });

  it('of a fork takes over what that one changed, also at the very step of the fork', async () => {
    await fork('child', { fork: { run: PARENT, step: 5 }, sampler: 'vcrl', temperature: 0.5 });
    await fork('twin', { fork: { run: 'child', step: 5 } });
    const child = withoutRun(await comparableRows(connection.pool, 'child'));
    // Assessed anew: importance means something else to another sampler.
    expect(child['sample_statistics']).not.toEqual(parentAfter[5]?.get('sample_statistics'));
    for (const run of ['child', 'twin']) {
      await take(run, 6);
      await take(run, 7);
    }
    await fork('grandchild', { fork: { run: 'child', step: 7 } });
    const [after, twin, grandchild] = await Promise.all(
      ['child', 'twin', 'grandchild'].map(async (run) =>
        withoutRun(await comparableRows(connection.pool, run)),
      ),
    );
    expect(twin).toEqual(after);
    expect(grandchild).toEqual(after);
    expect((await findRun(connection.db, 'grandchild'))?.sampler).toBe('vcrl');
  });

  it('may be longer or shorter, and be cut into groups in another way', async () => {
    const plan = await fork('longer', {
      fork: { run: PARENT, step: 8 },
      max_steps: 26,
      eval_schedule: 5,
      filter_groups: false,
      num_generations: 4,
    });
    expect(plan).toMatchObject({
      totalSteps: 26,
      epochs: 5,
      maxBackfillRounds: 0,
      evaluateAt: [10, 15, 20, 25, 26],
    });
    expect((await findRun(connection.db, 'longer'))?.evaluateAt).toEqual([5, 10, 15, 20, 25, 26]);
    const { settings } = await runStatus(connection.db, 'longer');
    // What follows from `filter_groups` is recorded, too.
    expect(settings.map(({ key }) => key)).toEqual([
      'sampling.hardThreshold',
      'masteryRate',
      'sampling.varianceThreshold',
      'maxSteps',
      'evalSchedule',
      'filterGroups',
      'numGenerations',
      'oversample',
      'maxBackfillRounds',
    ]);
    const shorter = await fork('shorter', { fork: { run: PARENT, step: 8 }, max_steps: 10 });
    expect(shorter).toMatchObject({ totalSteps: 10, epochs: 2, evaluateAt: [10] });
    expect((await findRun(connection.db, 'shorter'))?.evaluateAt).toEqual([5, 10]);
    const { rows } = await connection.pool.query(
      `select run, epoch, last_step, state from epochs where run in ('longer', 'shorter') order by 1, 2`,
    );
    expect(rows).toEqual([
      { run: 'longer', epoch: 1, last_step: 6, state: 'completed' },
      { run: 'longer', epoch: 2, last_step: 12, state: 'running' },
      { run: 'shorter', epoch: 1, last_step: 6, state: 'completed' },
      { run: 'shorter', epoch: 2, last_step: 10, state: 'running' },
    ]);
  });

  it.each([
    [{ fork: { run: 'nobody', step: 1 } }, /there is no run "nobody"/],
    [
      { fork: { run: PARENT, epoch: 2 } },
      /has not come to the end of epoch 2 \(step 12\): it is after step 9 of 18/,
    ],
    [{ fork: { run: PARENT, step: 10 } }, /has not come to step 10/],
    [{ fork: { run: PARENT, epoch: 4 } }, /has 3 epochs, no epoch 4/],
    [{ fork: { run: PARENT, step: 19 } }, /has 18 steps, no step 19/],
    [{ fork: { run: PARENT } }, /field "fork": must name a run, and either an epoch or a step/],
    [{ fork: { run: PARENT, step: 1, epoch: 1 } }, /field "fork": must name a run/],
    [{ fork: PARENT }, /field "fork": must name a run/],
    [
      { fork: { run: PARENT, step: 5 }, lerning_rate: 1 },
      /"lerning_rate": unknown key — did you mean learning_rate\?/,
    ],
    [
      // Each of its steps has generated more than a hundred.
      { fork: { run: PARENT, step: 5 }, max_generated_tokens: 500 },
      /the fork would have 5 steps, of which run "the-parent" has done 5 — raise max_generated_tokens,/,
    ],
    [{ fork: { run: PARENT, step: 5 }, lr: 7 }, /"lr": must be a number from 0 to 1, not 7/],
    [
      { fork: { run: PARENT, step: 5 }, seed: 1 },
      /"seed": cannot change in a fork — the samples that are stored/,
    ],
    [
      { fork: { run: PARENT, step: 5 }, policy: 'random' },
      /"policy": cannot change in a fork — the weights/,
    ],
    [
      { fork: { run: PARENT, step: 5 }, value_match: 'bfcl' },
      /cannot change in a fork — the rewards/,
    ],
    [
      { fork: { run: PARENT, step: 5 }, train_batch_size: 2 },
      /cannot change in a fork — the steps/,
    ],
    [
      { fork: { run: PARENT, step: 5 }, warm_start_steps: 2 },
      /cannot change in a fork — the weights/,
    ],
    [
      { fork: { run: PARENT, step: 5 }, max_steps: 5 },
      /would have 5 steps, of which run "the-parent" has done 5 — raise max_steps,/,
    ],
    [
      { fork: { run: PARENT, step: 8 }, num_train_epochs: 1 },
      /would have 6 steps, of which run "the-parent" has done 8 — raise num_train_epochs,/,
    ],
  ])('is refused with one line: %j', async (asked, message) => {
    const run = `refused ${JSON.stringify(asked)}`;
    await expect(fork(run, asked)).rejects.toThrow(message);
    expect(await findRun(connection.db, run)).toBeNull();
  });

  it('of a run at its end is a copy of it, or has steps of its own', async () => {
    const ended = 'ended';
    const config = { ...CONFIG, numTrainEpochs: 1, maxGeneratedTokens: 250 };
    await scratchRun(connection.db, ended, SAMPLES, config);
    // Each of its steps generates more than a hundred tokens.
    for (let step = 1; (await runStatus(connection.db, ended)).totalSteps >= step; step++) {
      await take(ended, step);
    }
    const { step, totalSteps } = await runStatus(connection.db, ended);
    expect(step).toBe(totalSteps);
    const at = { run: ended, step };
    expect(await fork('copy', { fork: at })).toMatchObject({ committedStep: step, totalSteps });
    await expect(fork('nothing-new', { fork: at, lr: 1e-5 })).rejects.toThrow(
      `the fork would have ${step} steps, of which run "ended" has done ${step} — raise max_generated_tokens, or fork`,
    );
    expect(await findRun(connection.db, 'nothing-new')).toBeNull();
    const more = { fork: at, max_generated_tokens: 1e6 };
    expect(await fork('more', more)).toMatchObject({ committedStep: step, totalSteps: 6 });
  });

  it('is refused where the policy is no longer kept, with those that are', async () => {
    await markPruned(connection.db, { run: PARENT, step: 3, slice: 0 });
    await expect(fork('late', { fork: { run: PARENT, step: 3 } })).rejects.toThrow(
      /after step 3 was deleted to save space .* — kept are those after the steps 0, 1, 2, 4, 5, 6, 7, 8, 9/,
    );
    await connection.pool.query(`update checkpoints set pruned = false where run = $1`, [PARENT]);
  });

  it('is refused under the name of any other run', async () => {
    await fork('name', { fork: { run: PARENT, epoch: 1 }, lr: 1e-5 });
    // The same again is a retry.
    await fork('name', { fork: { run: PARENT, epoch: 1 }, lr: 1e-5 });
    await fork('name', { fork: { run: PARENT, step: 6 }, lr: 1e-5 });
    for (const [run, asked] of [
      ['name', { fork: { run: PARENT, step: 6 } }],
      ['name', { fork: { run: PARENT, step: 5 }, lr: 1e-5 }],
      [PARENT, { fork: { run: PARENT, step: 6 } }],
    ] as const) {
      await expect(fork(run, asked)).rejects.toThrow(/exists, and is another one/);
    }
  });

  it('is made once by two attempts at a time', async () => {
    const asked = { fork: { run: PARENT, step: 7 } };
    const [one, two] = await Promise.all([fork('raced', asked), fork('raced', asked)]);
    expect(one).toEqual(two);
    const rows = withoutRun(await comparableRows(connection.pool, 'raced'));
    expect(rows['rollouts']).toEqual(parentAfter[7]?.get('rollouts'));
  });

  it('is there as a whole or not at all, whichever of its statements was the last', async () => {
    const asked = { fork: { run: PARENT, step: 5 }, lr: 1e-5 };
    let countdown = Infinity;
    const logQuery = (query: string): void => {
      if (!/^begin|^rollback/.test(query) && --countdown === 0) throw new Error('killed');
    };
    const mortal = { db: drizzle(connection.pool, { logger: { logQuery } }) };
    let deaths = 0;
    for (let statement = 1; ; statement++) {
      countdown = statement;
      try {
        await fork('mortal', asked, mortal);
        break;
      } catch (error) {
        if (!/killed/.test(String(error))) throw error;
        deaths++;
        if ((await findRun(connection.db, 'mortal')) === null) continue;
        expect((await runStatus(connection.db, 'mortal')).step).toBe(5);
      }
    }
    expect(deaths).toBeGreaterThan(20);
    await fork('immortal', asked);
    const [killed, whole] = await Promise.all(
      ['mortal', 'immortal'].map(async (run) =>
        withoutRun(await comparableRows(connection.pool, run)),
      ),
    );
    expect(killed).toEqual(whole);
  });

  it('holds up nobody while it copies', async () => {
    const parent = 'busy-parent';
    await scratchRun(connection.db, parent, SAMPLES, CONFIG);
    await take(parent, 1);
    const then = withoutRun(await comparableRows(connection.pool, parent));
    const copy = { run: 'slow-copy', parent, step: 1 };
    await connection.db.transaction(async (tx) => {
      const row = await insertFork(tx, copy, 'c'.repeat(64));
      await copySteps(tx, copy);
      await take(parent, 2);
      await shareCheckpoints(tx, copy, row);
    });
    const { sample_statistics: rebuiltLater, ...copied } = withoutRun(
      await comparableRows(connection.pool, copy.run),
    );
    expect(rebuiltLater).toEqual([]);
    expect(then).toMatchObject(copied);
  });

  it('lives on without its parent: its rows name the artifacts', async () => {
    await scratchRun(connection.db, 'mortal-parent', SAMPLES, CONFIG);
    await take('mortal-parent', 1);
    await take('mortal-parent', 2);
    await fork('orphan', { fork: { run: 'mortal-parent', step: 2 } });
    // As if no other run of this database shared them.
    await connection.pool.query(`delete from checkpoints where run not in ('orphan')`);
    for (const table of [
      'rollouts',
      'rollout_shards',
      'groups',
      'rounds',
      'steps',
      'epochs',
      'sample_statistics',
      'curriculum_versions',
      'evaluation_samples',
      'evaluations',
      'run_splits',
      'setting_changes',
      'events',
      'runs',
    ]) {
      await connection.pool.query(`delete from ${table} where run = 'mortal-parent'`);
    }
    const checkpoint = await findCheckpoint(connection.db, { run: 'orphan', step: 2, slice: 0 });
    const { weights, optimizer } = checkpoint!.policy;
    const shared = [weights!.sha256, optimizer!.sha256];
    expect([...(await referredTo(connection.db, shared))].sort()).toEqual(shared.sort());
    await take('orphan', 3);
    // The workflow that made it is retried.
    await fork('orphan', { fork: { run: 'mortal-parent', step: 2 } });
    expect((await runStatus(connection.db, 'orphan')).forkOf?.run).toBe('mortal-parent');
  });
});
