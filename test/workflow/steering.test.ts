import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToolsample, type ToolsampleClient } from '../../client.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import { epochWorkflowId } from '../../contracts/temporal.ts';
import { withClient } from '../../services/postgres/connection.ts';
import { inTheMiddleOf } from '../chaos/activity-history.ts';
import { createHome, type Home, type WorkerChild } from '../chaos/toolsample-home.ts';

const MINUTE = 60_000;
const RUN = 'steered';
/** Steps that it would have if nobody stopped it. */
const PLANNED = 60;

/** A tiny policy from random weights. */
const TINY: RunConfigInput = {
  policy: 'random',
  random_policy: {
    hidden_size: 32,
    layers: 1,
    heads: 2,
    key_value_heads: 1,
    intermediate_size: 64,
  },
  learning_rate: 1e-3,
  warmup_steps: 0,
  lr_scheduler_type: 'linear',
  filter_groups: false,
  max_steps: PLANNED,
  corpus_size: 240,
  eval_size: 8,
  eval_schedule: 'none',
  train_batch_size: 4,
  num_generations: 4,
  threads: 1,
};

let home: Home;
let worker: WorkerChild;
let toolsample: ToolsampleClient;

beforeAll(async () => {
  home = await createHome('steering');
  toolsample = await connectToolsample({ home: home.path });
  worker = home.startWorker();
}, 3 * MINUTE);

afterAll(async () => {
  await toolsample.close();
  await home.remove();
}, MINUTE);

async function stepReached(step: number): Promise<void> {
  await expect
    .poll(async () => (await toolsample.status(RUN).catch(() => null))?.step ?? 0, {
      timeout: 3 * MINUTE,
      interval: 50,
    })
    .toBeGreaterThanOrEqual(step);
}

/** Learning rates of the steps that have one, by step. */
async function learningRates(): Promise<Map<number, number>> {
  const { rows } = await withClient(toolsample.services.databaseUrl, async (client) =>
    client.query<{ step: number; rate: number }>(
      'select step, learning_rate as rate from steps where run = $1 and learning_rate is not null',
      [RUN],
    ),
  );
  return new Map(rows.map(({ step, rate }) => [step, rate]));
}

describe('a run that is steered', { timeout: 10 * MINUTE }, () => {
  it('pauses, changes, evaluates, survives its worker, is cut off, stops with a policy, and goes on', async () => {
    await expect(toolsample.pause('nobody')).rejects.toMatchObject({ code: 'not-found' });
    await toolsample.startRun({ run: RUN, config: TINY });
    await stepReached(1);

    await toolsample.pause(RUN, { by: 'ada' });
    await expect
      .poll(async () => (await toolsample.status(RUN)).state, { timeout: MINUTE })
      .toBe('paused');
    await expect(toolsample.pause(RUN)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('is paused already'),
    });
    const paused = (await toolsample.status(RUN)).step;
    await toolsample.evaluate(RUN);
    await expect
      .poll(async () => (await toolsample.status(RUN)).evaluations.map(({ step }) => step), {
        timeout: MINUTE,
      })
      .toEqual([0, 0, paused, paused]);
    await expect(toolsample.set(RUN, { settings: { seed: 1 } })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('cannot change while a run is under way'),
    });
    const { changes } = await toolsample.set(RUN, { by: 'ada', settings: { lr: 1e-4 } });
    expect(changes).toEqual([{ key: 'learningRate', from: 1e-3, to: 1e-4, fromStep: paused + 1 }]);

    // Nobody is there to do it: refused, and not done later either.
    await worker.kill();
    await expect(toolsample.continue(RUN)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('no worker works on run'),
    });
    worker = home.startWorker();
    await expect
      .poll(async () => toolsample.progress(RUN), { timeout: 2 * MINUTE })
      .toMatchObject({ paused: true });
    await toolsample.continue(RUN);

    await stepReached(paused + 2);
    await inTheMiddleOf(toolsample, epochWorkflowId(RUN, 1), 'rollout');
    const asked = Date.now();
    await toolsample.cancel(RUN, { by: 'ada' });
    expect(await toolsample.waitFor(RUN)).toMatchObject({ state: 'stopped', policyFolder: null });
    expect(Date.now() - asked).toBeLessThan(MINUTE / 2);
    await expect(toolsample.stop(RUN)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('it is stopped'),
    });

    await toolsample.resumeRun(RUN);
    await stepReached(paused + 4);
    await toolsample.stop(RUN);
    const stopped = await toolsample.waitFor(RUN);
    expect(stopped).toMatchObject({ state: 'stopped', requested: null, policyStep: stopped.step });
    expect(existsSync(join(stopped.policyFolder ?? '', 'model.safetensors'))).toBe(true);
    const exported = await toolsample.exportPolicy(RUN, { folder: join(home.path, 'exported') });
    expect(stopped.policySha256).toBe(exported.policySha256);

    // Neither the worker's death nor the two ends have changed what holds from which step on.
    const rates = await learningRates();
    expect(rates.size).toBe(stopped.step);
    for (const [step, rate] of rates) {
      const peak = step <= paused ? 1e-3 : 1e-4;
      const left = 1 - (step - 1) / PLANNED;
      expect(rate, `step ${step}`).toBeCloseTo(peak * left, 12);
    }
    expect(stopped.requests.map(({ request, by }) => `${request} ${by}`).toReversed()).toEqual([
      'pause ada',
      'evaluate unknown',
      'set ada',
      'continue unknown',
      'cancel ada',
      'stop unknown',
    ]);
  });
});
