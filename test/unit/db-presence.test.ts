import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Connection } from '../../db/connection.ts';
import { workBeingServed, WORKER_PRESENCE } from '../../db/presence.ts';
import { runOverviews } from '../../db/run-overview.ts';
import { runPulses } from '../../db/run-pulse.ts';
import { listRuns, runStatus } from '../../db/run-status.ts';
import { setRunState } from '../../db/runs.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const PATIENT = { timeout: 10_000 };

const server = scratchServer();
let url: string;
let connection: Connection;
beforeAll(async () => {
  url = await server.migratedDatabase();
  connection = connect(url);
  for (const run of ['first', 'second', 'stopped']) {
    await scratchRun(connection.db, run, scratchSamples(8), {});
  }
  await setRunState(connection.db, 'stopped', 'stopped', 'as asked');
});
afterAll(async () => {
  await connection.close();
});

const BOTH = ['second', 'first'].map((id) => ({ kind: 'run', id }));

it('knows runs that a worker serves, for as long as the worker is there', async () => {
  expect(await workBeingServed(connection.db)).toEqual([]);

  // One of another database of the same server is no concern.
  const elsewhere = connect(await server.database(), { presence: WORKER_PRESENCE });
  await elsewhere.pool.query('select 1');
  expect(await workBeingServed(connection.db)).toEqual([]);
  await elsewhere.close();

  const worker = connect(url, { presence: WORKER_PRESENCE });
  await Promise.all([1, 2, 3].map(() => worker.pool.query('select pg_sleep(0.1)')));
  expect(await workBeingServed(connection.db)).toEqual(BOTH);
  // Idle connections are closed after 10 s, but for one.
  await new Promise((resolve) => {
    setTimeout(resolve, 11_000);
  });
  expect(worker.pool.totalCount).toBe(1);
  expect(await workBeingServed(connection.db)).toEqual(BOTH);

  await worker.close();
  await expect.poll(() => workBeingServed(connection.db), PATIENT).toEqual([]);
});

it('tells a run that no worker could go on with from one that may be worked on', async () => {
  const { db } = connection;
  const found = async () => ({
    statuses: (await listRuns(db)).filter((each) => each.withoutWorker).map(({ run }) => run),
    one: (await runStatus(db, 'first')).withoutWorker,
    overviews: (await runOverviews(db)).filter((each) => each.withoutWorker).map(({ run }) => run),
  });
  const alone = { statuses: ['second', 'first'], one: true, overviews: ['second', 'first'] };
  const served = { statuses: [], one: false, overviews: [] };
  const before = await runPulses(db);
  expect(await found()).toEqual(alone);

  // A name in the address does not hide what it is.
  const named = new URL(url);
  named.searchParams.set('application_name', 'mine');
  const worker = connect(named.href, { presence: WORKER_PRESENCE });
  // Nobody asks it anything.
  await expect.poll(found, PATIENT).toEqual(served);
  // Those who watch learn of it, but not where no run is under way.
  const after = await runPulses(db);
  expect(after.get('first')).not.toBe(before.get('first'));
  expect(after.get('stopped')).toBe(before.get('stopped'));

  // As a restart of Postgres does.
  const list = async (what: string) => {
    const { rows } = await connection.pool.query<{ pid: number }>(
      `select pid, ${what} from pg_stat_activity
        where application_name = $1 and datname = current_database()`,
      [WORKER_PRESENCE],
    );
    return rows.map(({ pid }) => pid);
  };
  const [ended] = await list('pg_terminate_backend(pid)');
  await expect
    .poll(async () => (await list('state')).filter((pid) => pid !== ended), PATIENT)
    .toHaveLength(1);
  expect(await found()).toEqual(served);

  await worker.close();
  await expect.poll(found, PATIENT).toEqual(alone);
});

it('counts what waits or is no run as served, and what has ended as not', async () => {
  const alone = connect(await server.migratedDatabase(), { presence: WORKER_PRESENCE });
  const { db, pool } = alone;
  try {
    for (const run of ['paused', 'compared', 'lost', 'stopped'])
      await scratchRun(db, run, scratchSamples(8), {});
    await setRunState(db, 'paused', 'paused', null);
    await setRunState(db, 'stopped', 'stopped', 'as asked');
    await pool.query(`insert into experiments (experiment, state, protocol, tokens, baseline, asked)
      values ('comparison', 'running', 'fixed-prompts', 1, 'uniform', '{}'),
        ('over', 'stopped', 'fixed-prompts', 1, 'uniform', '{}')`);
    await pool.query(`insert into experiment_runs (experiment, run, ordinal, arm, seed, settings)
      values ('comparison', 'compared', 0, 'uniform', 1, '{}'), ('over', 'lost', 0, 'uniform', 1, '{}')`);
    await pool.query(`insert into suite_evaluations
        (evaluation, state, suite, policy, asked, base_sha256, base_bytes, trainable, bad_rows)
      values ('bfcl', 'running', 'bfcl', 'builtin', '{}', 'a', 1, '{}', 0),
        ('done', 'completed', 'bfcl', 'builtin', '{}', 'a', 1, '{}', 0)`);
    expect(await workBeingServed(db)).toEqual([
      { kind: 'experiment', id: 'comparison' },
      { kind: 'evaluation', id: 'bfcl' },
      { kind: 'run', id: 'lost' },
      { kind: 'run', id: 'paused' },
    ]);
  } finally {
    await alone.close();
  }
});
