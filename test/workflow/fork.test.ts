import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToolsample, type ToolsampleClient } from '../../client.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import { RUN_SIGNALS, epochWorkflowId } from '../../contracts/temporal.ts';
import { cliCaches, findCli } from '../../services/temporal/cli.ts';
import { inTheMiddleOf } from '../chaos/activity-history.ts';
import { createHome, type Home, type WorkerChild } from '../chaos/toolsample-home.ts';
import { comparableRows } from '../unit/support/comparable-rows.ts';

const MINUTE = 60_000;
const PARENT = 'the-parent';

/** The shipped policy for some steps, two epochs of four; everything happens: a warm start, dropped groups, backfill, dynamic sampling. */
const CONFIG: RunConfigInput = {
  corpus_size: 16,
  level_mix: [0.5, 0, 0.25, 0.25],
  eval_size: 8,
  eval_schedule: 2,
  max_steps: 7,
  train_batch_size: 4,
  num_generations: 4,
  rollout_shard_size: 3,
  max_backfill_rounds: 1,
  sampling: { activation_patience: 1 },
  save_total_limit: 3,
  save_best: 0,
  threads: 1,
  warm_start: [{ data: 'builtin', steps: 8, batch_tokens: 200, levels: [0], learning_rate: 1e-4 }],
};

let home: Home;
let worker: WorkerChild;
let toolsample: ToolsampleClient;
let database: Client;

beforeAll(async () => {
  home = await createHome('fork');
  toolsample = await connectToolsample({ home: home.path });
  database = new Client({ connectionString: toolsample.services.databaseUrl });
  await database.connect();
  worker = home.startWorker();
  await toolsample.startRun({ run: PARENT, config: CONFIG });
  await toolsample.waitFor(PARENT);
}, 6 * MINUTE);

afterAll(async () => {
  await database.end();
  await toolsample.close();
  await home.remove();
}, MINUTE);

/** Rows by table: of a run that has come to its end. */
async function rowsOf(run: string): Promise<{ [table: string]: string[] }> {
  return Object.fromEntries(await comparableRows(database, run));
}

async function completed(run: string): Promise<string | null> {
  const status = await toolsample.waitFor(run);
  expect(status.state).toBe('completed');
  return status.policySha256;
}

describe('a fork', { timeout: 8 * MINUTE }, () => {
  it('of a completed run comes to the same weights and rows, by any client, and leaves it as it was', async () => {
    const parent = await toolsample.status(PARENT);
    const before = await rowsOf(PARENT);
    expect(before['rounds']?.join()).toContain('"round":1');
    expect(before['steps']?.join()).toContain('"active":true');

    // In the middle of an epoch, and at the end of one from the CLI of Temporal.
    const { run, forkOf } = await toolsample.forkRun({
      of: PARENT,
      at: { step: 5 },
      run: 'fork-in-the-middle',
    });
    expect(forkOf).toEqual({ run: PARENT, step: 5, epoch: null });
    const { folder, temporal } = toolsample.services;
    const cli = await findCli(folder, process.env);
    if (cli === null)
      throw new Error(`no Temporal CLI in ${cliCaches(folder, process.env).join(', ')}`);
    const command =
      `workflow start --address ${temporal.address} --task-queue ${temporal.taskQueue} ` +
      '--type trainingRun --workflow-id fork-by-hand --input';
    const input = JSON.stringify({ fork: { run: PARENT, epoch: 1 } });
    await promisify(execFile)(cli.path, [...command.split(' '), input]);

    for (const each of [run, 'fork-by-hand']) {
      expect(await completed(each), each).toBe(parent.policySha256);
      const rows = await rowsOf(each);
      for (const [table, expected] of Object.entries(before)) {
        expect(rows[table], `${each}: ${table}`).toEqual(expected);
      }
    }
    expect(await toolsample.status('fork-by-hand')).toMatchObject({
      step: 7,
      forkOf: { run: PARENT, step: 4, epoch: 1 },
    });
    expect(await rowsOf(PARENT)).toEqual(before);
    expect(await toolsample.status(PARENT)).toEqual(parent);
  });

  it('of a run under way does not hold it up', async () => {
    const run = 'under-way';
    await toolsample.startRun({ run, config: CONFIG });
    await expect
      .poll(async () => (await toolsample.status(run).catch(() => null))?.step ?? 0, {
        timeout: 3 * MINUTE,
        interval: 50,
      })
      .toBeGreaterThanOrEqual(2);
    const fork = await toolsample.forkRun({ of: run });
    const [sha, parentSha] = [await completed(fork.run), await completed(run)];
    expect(sha).toBe(parentSha);
    expect(parentSha).toBe((await toolsample.status(PARENT)).policySha256);
    const [rows, expected] = [await rowsOf(fork.run), await rowsOf(run)];
    for (const table of Object.keys(expected)) expect(rows[table], table).toEqual(expected[table]);
  });

  it('waits for a worker, survives its death, and equals a run whose settings were changed at that step', async () => {
    await worker.terminate();
    const settings = { learning_rate: 1e-3, temperature: 0.7 };
    const started = ['steered-run', 'steered-and-killed'];
    for (const run of started) await toolsample.forkRun({ of: PARENT, at: { step: 5 }, run });
    await toolsample.forkRun({ of: PARENT, at: { step: 5 }, run: 'changed-by-fork', settings });
    // No worker has heard of them, and whoever started them is gone: they are there all the same.
    await expect(toolsample.status('changed-by-fork')).rejects.toMatchObject({ code: 'not-found' });
    await expect
      .poll(async () => (await toolsample.unpreparedRuns()).map(({ run }) => run).sort())
      .toEqual(['changed-by-fork', ...started].sort());
    expect(await toolsample.resumeRun('changed-by-fork')).toBe('running');
    const connection = await Connection.connect({ address: toolsample.services.temporal.address });
    const { workflow } = new TemporalClient({ connection });
    for (const run of started) await workflow.getHandle(run).signal(RUN_SIGNALS.pause);
    worker = home.startWorker();
    for (const run of started) {
      await expect
        .poll(async () => (await toolsample.status(run).catch(() => null))?.state, {
          timeout: 2 * MINUTE,
        })
        .toBe('paused');
      const { changes } = await toolsample.set(run, { settings });
      expect(changes.map(({ fromStep }) => fromStep)).toEqual([6, 6]);
    }
    await toolsample.continue('steered-run');
    const sha = await completed('steered-run');
    expect(sha).not.toBe((await toolsample.status(PARENT)).policySha256);

    await worker.kill();
    worker = home.startWorker();
    await expect
      .poll(async () => toolsample.progress('steered-and-killed'), { timeout: 2 * MINUTE })
      .toMatchObject({ paused: true });
    await toolsample.continue('steered-and-killed');
    await inTheMiddleOf(toolsample, epochWorkflowId('steered-and-killed', 2), 'gradientStep');
    await worker.kill();
    worker = home.startWorker();
    expect(await completed('steered-and-killed')).toBe(sha);
    expect(await completed('changed-by-fork')).toBe(sha);
    const undisturbed = await rowsOf('steered-run');
    const killed = await rowsOf('steered-and-killed');
    const changed = await rowsOf('changed-by-fork');
    for (const [table, expected] of Object.entries(undisturbed)) {
      // Who asked for what, and when it paused and was resumed.
      if (table === 'events' || table === 'setting_changes') continue;
      expect(killed[table], table).toEqual(expected);
      expect(changed[table], table).toEqual(expected);
    }

    const found: string[] = [];
    const query = `ToolsampleForkOf = "${PARENT}"`;
    for await (const { workflowId, memo } of workflow.list({ query })) {
      found.push(workflowId);
      if (workflowId === 'changed-by-fork')
        expect(memo).toMatchObject({ forkOf: `${PARENT}, step 5` });
    }
    expect(found).toEqual(
      expect.arrayContaining(['fork-by-hand', 'changed-by-fork', 'changed-by-fork/epoch-2']),
    );
    await connection.close();
  });

  it('is refused with one line', async () => {
    for (const [options, message] of [
      [{ of: 'nobody' }, 'there is no run "nobody"'],
      [{ of: PARENT, at: { step: 9 } }, 'has 7 steps, no step 9'],
      [{ of: PARENT, at: { step: 1 } }, 'kept are those after the steps 0, '],
      [{ of: PARENT, settings: { max_stepz: 9 } }, 'unknown key'],
      [{ of: PARENT, settings: { data: 'x.json' } }, 'cannot change in a fork'],
      [{ of: PARENT, run: 'fork-by-hand' }, 'there is a run "fork-by-hand" already'],
    ] as const) {
      const refused = toolsample.forkRun(options);
      await expect(refused).rejects.toMatchObject({ message: expect.stringContaining(message) });
      await expect(refused).rejects.toMatchObject({ exitCode: 2 });
    }
    // Found by the worker.
    const { run } = await toolsample.forkRun({ of: PARENT, settings: { max_steps: 3 } });
    await expect(toolsample.waitFor(run)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('would have 3 steps'),
    });
    await expect(toolsample.resumeRun(run)).rejects.toMatchObject({ code: 'not-found' });
  });
});
