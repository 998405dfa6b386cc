import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Connection } from '../../db/connection.ts';
import { runsBeingServed, WORKER_PRESENCE } from '../../db/presence.ts';
import { setRunState } from '../../db/runs.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

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

it('knows runs that a worker serves, for as long as the worker is there', async () => {
  expect(await runsBeingServed(connection.db)).toEqual([]);

  // One of another database of the same server is no concern.
  const elsewhere = connect(await server.database(), { presence: WORKER_PRESENCE });
  await elsewhere.pool.query('select 1');
  expect(await runsBeingServed(connection.db)).toEqual([]);
  await elsewhere.close();

  const worker = connect(url, { presence: WORKER_PRESENCE });
  await Promise.all([1, 2, 3].map(() => worker.pool.query('select pg_sleep(0.1)')));
  expect(await runsBeingServed(connection.db)).toEqual(['second', 'first']);
  // Idle connections are closed after 10 s, but for one.
  await new Promise((resolve) => {
    setTimeout(resolve, 11_000);
  });
  expect(worker.pool.totalCount).toBe(1);
  expect(await runsBeingServed(connection.db)).toEqual(['second', 'first']);

  await worker.close();
  await expect.poll(() => runsBeingServed(connection.db)).toEqual([]);
});
