import { mkdir, mkdtemp, realpath, rename, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluationReport } from '../../client/evaluation-report.ts';
import { runReader, type RunReader } from '../../client/run-reader.ts';
import { connect, type Connection } from '../../db/connection.ts';
import { commitExport } from '../../db/runs.ts';
import { openDataFolder } from '../../services/data-folder.ts';
import { policyPlace, resultsPlace } from '../../services/own-places.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const server = scratchServer();
let root: string;
let connection: Connection;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'toolsample-moved-')));
  connection = connect(await server.migratedDatabase());
});
afterAll(async () => {
  await connection.close();
  await rm(root, { recursive: true, force: true });
});

async function exported(run: string, folder: string): Promise<void> {
  await scratchRun(connection.db, run, scratchSamples(4), {});
  await commitExport(connection.db, { run, step: 0 }, { sha256: 'a'.repeat(64), folder });
}

async function evaluated(evaluation: string, folder: string): Promise<void> {
  await connection.pool.query(
    `insert into suite_evaluations
      (evaluation, state, suite, policy, asked, base_sha256, base_bytes, trainable, bad_rows, folder)
    values ($1, 'completed', 'bfcl', 'builtin', '{"categories": []}', 'a', 1, '{}', 0, $2)`,
    [evaluation, folder],
  );
}

async function readerOf(home: string): Promise<RunReader> {
  return runReader(connection, await openDataFolder(home));
}

it('names what a data folder holds by where that folder lies now', async () => {
  const [before, after] = [join(root, 'before'), join(root, 'after')];
  // The name of its folder is another one than its own.
  const run = 'two words';
  const former = { policy: policyPlace(before, run), results: resultsPlace(before, 'bfcl') };
  await exported(run, former.policy);
  await evaluated('bfcl', former.results);
  for (const folder of Object.values(former)) await mkdir(folder, { recursive: true });
  const there = await readerOf(before);
  expect((await there.status(run)).policyFolder).toBe(former.policy);

  await rename(before, after);
  const here = await readerOf(after);
  const policyFolder = policyPlace(after, run);
  expect(await here.status(run)).toMatchObject({ policyFolder });
  expect(await here.runs()).toMatchObject([{ run, policyFolder }]);
  const report = await evaluationReport(connection.db, after, 'bfcl');
  expect(report.folder).toBe(resultsPlace(after, 'bfcl'));
});

it("leaves another machine's folders where they are", async () => {
  const home = join(root, 'one-of-several');
  const reader = await readerOf(home);
  const found = async (run: string) => (await reader.status(run)).policyFolder;
  const elsewhere = policyPlace('/machine/home', 'remote');
  await exported('remote', elsewhere);
  await evaluated('remote', resultsPlace('/machine/home', 'remote'));
  expect(await found('remote')).toBe(elsewhere);
  const report = await evaluationReport(connection.db, home, 'remote');
  expect(report.folder).toBe(resultsPlace('/machine/home', 'remote'));

  // What this machine wrote when the run was stopped, before it went on elsewhere.
  const stale = policyPlace(home, 'remote');
  await mkdir(stale, { recursive: true });
  await utimes(stale, new Date(0), new Date(0));
  expect(await found('remote')).toBe(elsewhere);

  await exported('placed', '/machine/models/placed');
  await mkdir(policyPlace(home, 'placed'), { recursive: true });
  expect(await found('placed')).toBe('/machine/models/placed');
});
