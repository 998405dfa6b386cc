import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToolsample, type ToolsampleClient } from '../../client.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import { epochWorkflowId, TRAINING_RUN } from '../../contracts/temporal.ts';
import { workCutOffBy } from '../../client/run-reader.ts';
import { cliCaches, findCli } from '../../services/temporal/cli.ts';
import { inTheMiddleOf, retriedActivities } from '../chaos/activity-history.ts';
import { createHome, type Home, type WorkerChild } from '../chaos/toolsample-home.ts';

const execute = promisify(execFile);
const MINUTE = 60_000;
const CLIENT = fileURLToPath(new URL('../../client.ts', import.meta.url));

/** Seconds, with the shipped policy. */
const SMALL: RunConfigInput = {
  max_steps: 2,
  corpus_size: 16,
  eval_size: 8,
  train_batch_size: 4,
  num_generations: 4,
  rollout_shard_size: 4,
};

let home: Home;
let worker: WorkerChild;
let toolsample: ToolsampleClient;

beforeAll(async () => {
  home = await createHome('client');
  toolsample = await connectToolsample({ home: home.path });
  worker = home.startWorker();
}, 2 * MINUTE);

afterAll(async () => {
  await toolsample.close();
  await home.remove();
}, MINUTE);

describe('client', () => {
  it(
    'does what its documentation shows',
    async () => {
      const source = await readFile(CLIENT, 'utf8');
      const example = /```ts\n([\s\S]*?) \* ```/.exec(source)?.[1]?.replaceAll(/^ \* ?/gm, '');
      if (example === undefined) throw new Error('client.ts shows no example');
      const file = join(home.path, 'example.mts');
      await writeFile(
        file,
        example.replace("'./client.ts'", `'${CLIENT}'`).replace("'.toolsample'", `'${home.path}'`),
      );
      const { stdout } = await execute(process.execPath, ['--import', 'tsx', file]);
      const lines = stdout.trim().split('\n');
      expect(lines).toContain('step 2 of 2');
      const [state, sha256 = '', folder = ''] = (lines.at(-1) ?? '').split(' ');
      expect(state).toBe('completed');
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(existsSync(join(folder, 'model.safetensors'))).toBe(true);
    },
    4 * MINUTE,
  );

  it(
    'reads what the CLI of Temporal started, with nothing but JSON',
    async () => {
      const { folder, temporal } = toolsample.services;
      const cli = await findCli(folder, process.env);
      const caches = cliCaches(folder, process.env).join(', ');
      if (cli === null) throw new Error(`no Temporal CLI in ${caches}`);
      const command =
        `workflow start --address ${temporal.address} --task-queue ${temporal.taskQueue} ` +
        '--type trainingRun --workflow-id by-hand --input';
      await execute(cli.path, [...command.split(' '), JSON.stringify({ ...SMALL, seed: 3 })]);
      const status = await toolsample.waitFor('by-hand');
      expect(status).toMatchObject({ run: 'by-hand', state: 'completed', step: 2, epoch: 1 });
      expect(status.evaluations.map(({ step, split }) => `${step} ${split}`)).toEqual([
        '0 heldout',
        '0 unseen',
        '2 heldout',
        '2 unseen',
      ]);
      for (const { reward, rewardLow, rewardHigh } of status.evaluations) {
        expect(rewardLow).toBeLessThan(reward);
        expect(rewardHigh).toBeGreaterThan(reward);
      }
      // Defaults were filled in by the worker.
      expect(await toolsample.config('by-hand')).toMatchObject({ seed: 3, sampler: 'dscl' });

      const runs = await toolsample.runs();
      expect(runs[0]).toEqual(status);
      const [first, second] = await toolsample.steps('by-hand');
      expect([first?.step, second?.step]).toEqual([1, 2]);
      expect(status.lastStep).toEqual(second);
      expect(await toolsample.steps('by-hand', 1)).toEqual([second]);

      const groups = await toolsample.rollouts('by-hand', { step: 1 });
      expect(groups).toHaveLength(first?.groups ?? 0);
      expect(groups.every(({ completions }) => completions.length === 4)).toBe(true);
      const exported = await toolsample.exportPolicy('by-hand', {
        folder: join(home.path, 'exported'),
      });
      expect(exported).toMatchObject({ step: 2, epoch: 1, policySha256: status.policySha256 });

      const sample = groups[0]?.sample.id;
      expect(await toolsample.rollouts('by-hand', { step: 1, sample })).toEqual([groups[0]]);

      const answers = await toolsample.evaluationAnswers('by-hand', { step: 2, split: 'heldout' });
      const matches = answers.filter(({ exactMatch }) => exactMatch).length;
      const after = status.evaluations.find(({ step, split }) => step === 2 && split === 'heldout');
      expect(matches / answers.length).toBe(after?.exactMatch);
    },
    4 * MINUTE,
  );

  it(
    'stops at a step, and goes on to the same end as if it had not',
    async () => {
      const config = { ...SMALL, max_steps: 4, seed: 3 };
      const stopped = await toolsample.startRun({ run: 'stopped', config });
      expect(stopped).toEqual({ run: 'stopped' });
      let asked = false;
      const status = await toolsample.waitFor('stopped', {
        onStatus: ({ step }) => {
          if (step === 0 || asked) return;
          asked = true;
          void toolsample.stop('stopped');
        },
        intervalMs: 50,
      });
      expect(status.state).toBe('stopped');
      expect(status.step).toBeLessThan(4);
      expect(status.reason).toContain('start the run again to go on');
      await expect(toolsample.pause('stopped')).rejects.toThrow('is not under way');

      // Whoever starts another configuration under its id, without this client, is told, and changes nothing.
      const { taskQueue, address } = toolsample.services.temporal;
      const connection = await Connection.connect({ address });
      await new Client({ connection }).workflow.start(TRAINING_RUN, {
        workflowId: 'stopped',
        taskQueue,
        args: [SMALL],
      });
      expect(await toolsample.waitFor('stopped')).toMatchObject({
        state: 'failed',
        reason: expect.stringContaining('exists with another configuration'),
        failure: { code: 'config' },
      });
      await connection.close();
      expect(await toolsample.status('stopped')).toEqual(status);

      expect(await toolsample.resumeRun('stopped')).toBe('running');
      const resumed = await toolsample.waitFor('stopped');
      expect(resumed).toMatchObject({ state: 'completed', step: 4 });

      await toolsample.startRun({ run: 'straight', config });
      const straight = await toolsample.waitFor('straight');
      expect(straight.policySha256).toBe(resumed.policySha256);

      expect(await toolsample.resumeRun('stopped')).toBe('completed');
      await expect(toolsample.startRun({ run: 'stopped', config })).rejects.toThrow(
        'has completed',
      );
      await expect(toolsample.startRun({ run: 'stopped', config: SMALL })).rejects.toThrow(
        'exists with another configuration',
      );
    },
    6 * MINUTE,
  );

  it.each(['SIGTERM', 'SIGHUP'] as const)(
    'loses nothing when a worker is asked to end by %s: it finishes what it does',
    async (signal) => {
      const run = `restarted-${signal}`;
      await toolsample.startRun({ run, config: { ...SMALL, seed: 5 } });
      await inTheMiddleOf(toolsample, epochWorkflowId(run, 1), 'gradientStep');
      expect(await workCutOffBy(home.path)).toEqual([{ kind: 'run', id: run }]);
      expect(await worker.terminate(signal)).toBe(0);
      expect(await workCutOffBy(home.path)).toEqual([]);
      worker = home.startWorker();
      expect(await toolsample.waitFor(run)).toMatchObject({ state: 'completed', step: 2 });
      expect(await retriedActivities(toolsample, epochWorkflowId(run, 1))).toEqual(new Set());
    },
    3 * MINUTE,
  );

  it(
    'tells how far long work is while it lasts',
    async () => {
      const run = 'warming-up';
      const phase = { data: 'builtin', levels: [0], steps: 96, batchTokens: 4000 };
      await toolsample.startRun({ run, config: { ...SMALL, warm_start: [phase] } });
      const work = async () => (await toolsample.progress(run))?.work;
      await expect
        .poll(work, { timeout: MINUTE, interval: 500 })
        .toMatchObject({ activity: 'warmStart', total: 96, unit: 'steps' });
      expect((await work())?.done).toBeGreaterThan(0);
      await toolsample.cancel(run);
      expect(await toolsample.waitFor(run)).toMatchObject({ state: 'stopped' });
      expect(await toolsample.progress(run)).toMatchObject({ work: null });
    },
    3 * MINUTE,
  );

  it('says in one line what is wrong, wherever it was found', async () => {
    await expect(toolsample.startRun({ config: { max_stepz: 2 } })).rejects.toMatchObject({
      code: 'config',
    });
    const { run } = await toolsample.startRun({
      run: 'no-data',
      config: { ...SMALL, data: 'absent.parquet' },
    });
    await expect(toolsample.waitFor(run)).rejects.toMatchObject({ code: 'not-found' });
    await expect(toolsample.status(run)).rejects.toMatchObject({ code: 'not-found' });
    // Found by the first slice of the warm start, when the run is under way.
    const data = join(home.path, 'long.json');
    const long = { instruction: 'x'.repeat(10_000), input: 'y', output: '<think>z</think>' };
    await writeFile(data, JSON.stringify([long]));
    const warm = { data, steps: 1, learning_rate: 1e-3 };
    await toolsample.startRun({ run: 'too-long', config: { ...SMALL, warm_start: [warm] } });
    const ended = await toolsample.waitFor('too-long');
    expect(ended).toMatchObject({ state: 'failed', failure: { code: 'dataset', exitCode: 2 } });
    expect(ended.reason).toContain('long.json');
    await expect(toolsample.resumeRun('nobody')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('shows runs to those who look for search attributes', async () => {
    const connection = await Connection.connect({ address: toolsample.services.temporal.address });
    try {
      const { workflow } = new Client({ connection });
      await expect
        .poll(async () => {
          const found: string[] = [];
          const query = 'ToolsampleRun = "by-hand" AND ToolsampleSampler = "dscl"';
          for await (const { workflowId } of workflow.list({ query })) found.push(workflowId);
          return found.sort();
        })
        .toEqual(['by-hand', 'by-hand/epoch-1']);
    } finally {
      await connection.close();
    }
  });
});
