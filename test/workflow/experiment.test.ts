import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ExperimentAsked } from '../../contracts/experiment.ts';
import { waitForEnd } from '../../client/wait-for-run.ts';
import { workflowEnded } from '../../client/workflow-end.ts';
import { compareArms } from '../../experiments/compare-arms.ts';
import { withClient } from '../../services/postgres/connection.ts';
import { startProxy } from '../chaos/proxy.ts';
import { createServedHome, type ServedHome } from '../chaos/toolsample-home.ts';

const MINUTE = 60_000;
const EXPERIMENT = 'night';

const TOKENS = 900;

/** A few steps a run, with the shipped policy. */
const ASKED: Partial<ExperimentAsked> = {
  samplers: ['uniform', 'dscl'],
  curricula: ['none'],
  seeds: 1,
  tokens: TOKENS,
  config: {
    corpus_size: 16,
    eval_size: 8,
    train_batch_size: 4,
    num_generations: 4,
    rollout_shard_size: 4,
    learning_rate: 1e-3,
    lr_scheduler_type: 'linear',
    warmup_steps: 0,
  },
};

const GROWN = { ...ASKED, samplers: ['uniform', 'vcrl', 'dscl'], seeds: 2 } as const;

let home: ServedHome;

beforeAll(async () => {
  home = await createServedHome('experiment');
  home.startWorker();
}, 2 * MINUTE);

afterAll(async () => {
  await home.remove();
}, MINUTE);

const status = async () => home.toolsample.experimentStatus(EXPERIMENT);

/** Waits until a run has learnt from a step. */
async function untilUnderWay(place: number): Promise<void> {
  await vi.waitUntil(
    async () => {
      const run = (await status().catch(() => null))?.runs[place];
      return run?.state === 'running' && run.generatedTokens > 0;
    },
    { timeout: MINUTE, interval: 50 },
  );
}

/** As if Temporal had lost it, with the run under way: what it goes on with is in Postgres alone. */
async function lose(experiment: string): Promise<void> {
  const { address } = home.toolsample.services.temporal;
  const connection = await Connection.connect({ address });
  try {
    await new Client({ connection }).workflow.getHandle(experiment).terminate();
  } finally {
    await connection.close();
  }
}

describe('an experiment', () => {
  it(
    'makes each run once, stopped or lost, and goes on when it is started again',
    async () => {
      const { toolsample } = home;
      await toolsample.startExperiment({ experiment: EXPERIMENT, asked: ASKED });
      await untilUnderWay(0);
      await toolsample.stopExperiment(EXPERIMENT);
      await expect(toolsample.experimentEnded(EXPERIMENT)).rejects.toThrow();
      expect(await status()).toMatchObject({ state: 'stopped', runs: [{ state: 'stopped' }, {}] });

      const again = await toolsample.startExperiment({ experiment: EXPERIMENT, asked: null });
      expect(again).toMatchObject({ completed: false, arms: ['uniform', 'dscl'] });
      await untilUnderWay(1);
      await lose(EXPERIMENT);
      await toolsample.startExperiment({ experiment: EXPERIMENT, asked: null });
      await toolsample.experimentEnded(EXPERIMENT);
      expect(await status()).toMatchObject({
        state: 'completed',
        reason: null,
        baseline: 'uniform',
        runs: [
          { run: 'night.uniform.1', state: 'completed' },
          { run: 'night.dscl.1', state: 'completed' },
        ],
      });
      const known = await toolsample.startExperiment({ experiment: EXPERIMENT, asked: ASKED });
      expect(known.completed).toBe(true);
      await expect(toolsample.startRun({ run: EXPERIMENT })).rejects.toThrow('is an experiment');
      await expect(
        toolsample.startExperiment({ experiment: 'night.dscl.1', asked: ASKED }),
      ).rejects.toThrow('"night.dscl.1" is a run');
      await expect(
        toolsample.startExperiment({ experiment: EXPERIMENT, asked: { ...ASKED, tokens: 1000 } }),
      ).rejects.toThrow('compares something else');
    },
    4 * MINUTE,
  );

  it(
    'grows by arms and seeds, and makes what there is no second time',
    async () => {
      const { toolsample } = home;
      const before = await toolsample.experimentResults(EXPERIMENT);
      // Asked twice before a worker has taken it up, as after a kill.
      const asked = { experiment: EXPERIMENT, asked: GROWN };
      expect((await toolsample.startExperiment(asked)).completed).toBe(false);
      expect((await toolsample.startExperiment(asked)).completed).toBe(false);
      await untilUnderWay(1);
      await expect(
        toolsample.startExperiment({ experiment: EXPERIMENT, asked: { ...GROWN, seeds: 3 } }),
      ).rejects.toThrow(`experiment "${EXPERIMENT}" is under way`);
      await toolsample.experimentEnded(EXPERIMENT);
      const { state, runs } = await status();
      expect(state).toBe('completed');
      expect(runs.map(({ arm, seed }) => `${arm} ${seed}`)).toEqual(
        [1, 2].flatMap((seed) => ['uniform', 'vcrl', 'dscl'].map((arm) => `${arm} ${seed}`)),
      );
      const after = await toolsample.experimentResults(EXPERIMENT);
      expect(after).toHaveLength(6);
      expect(after).toEqual(expect.arrayContaining([...before]));
      await expect(
        toolsample.startExperiment({ experiment: EXPERIMENT, asked: ASKED }),
      ).rejects.toThrow('compares something else');
    },
    2 * MINUTE,
  );

  it('ends each run with the step that spends the budget, evaluated on all that is held out', async () => {
    const results = await home.toolsample.experimentResults(EXPERIMENT);
    expect(results).toHaveLength(6);
    for (const { run, steps, generatedTokens, curve } of results) {
      expect(generatedTokens).toBeGreaterThanOrEqual(TOKENS);
      const { step, totalSteps, evaluations } = await home.toolsample.status(run);
      expect({ step, totalSteps }).toEqual({ step: steps, totalSteps: steps });
      const [last] = (await home.toolsample.steps(run)).slice(-1);
      expect(generatedTokens - (last?.generatedTokens ?? 0)).toBeLessThan(TOKENS);
      expect(curve[0]?.tokens).toBe(0);
      expect(curve.at(-1)?.tokens).toBe(generatedTokens);
      expect(evaluations.filter((each) => each.step === step).map(({ split }) => split)).toEqual([
        'heldout',
        'unseen',
      ]);
    }
    expect(compareArms(['uniform', 'dscl'], 'uniform', results)).toMatchObject([
      { arm: 'uniform', seeds: [1, 2], paired: null },
      { arm: 'dscl', seeds: [1, 2], paired: { reward: { n: 2 } } },
    ]);
  });

  it('has learning rates that fall with the tokens that are left', async () => {
    const { rows } = await withClient(home.toolsample.services.databaseUrl, async (client) =>
      client.query<{ rate: number; share: number; before: number }>(
        `select learning_rate as rate, least(1, kept_groups / 4.0)::float8 as share, before::float8 from (
           select *, coalesce(sum(generated_tokens) over (partition by run order by step
             rows between unbounded preceding and 1 preceding), 0) as before from steps
         ) s where learning_rate is not null`,
      ),
    );
    expect(rows.filter(({ before }) => before > 0).length).toBeGreaterThan(6);
    for (const { rate, share, before } of rows)
      expect(rate).toBeCloseTo(1e-3 * (1 - before / TOKENS) * share, 12);
  });

  it(
    'has runs that came to the same weights as undisturbed ones do, and counts no such run as its own',
    async () => {
      const { toolsample } = home;
      const config = { ...(await toolsample.config('night.dscl.1')) };
      const run = 'night.dscl.3';
      await toolsample.startRun({ run, config });
      const { policySha256 } = await toolsample.waitFor(run);
      expect(policySha256).toMatch(/^[0-9a-f]{64}$/);
      expect((await toolsample.status('night.dscl.1')).policySha256).toBe(policySha256);

      const before = await status();
      await toolsample.startExperiment({ experiment: EXPERIMENT, asked: { ...GROWN, seeds: 3 } });
      await expect(toolsample.experimentEnded(EXPERIMENT)).rejects.toThrow(
        'run "night.dscl.3" exists with another configuration',
      );
      expect(before.state).toBe('completed');
      expect(await status()).toEqual(before);
    },
    MINUTE,
  );

  it(
    'is waited for while Temporal is away',
    async () => {
      const [, port] = home.toolsample.services.temporal.address.split(':');
      const cable = await startProxy(Number(port));
      // Without the retries of the SDK, which outlast a short time by themselves.
      const connection = await Connection.connect({
        address: `127.0.0.1:${cable.port}`,
        interceptors: [],
      });
      try {
        const { workflow } = new Client({ connection });
        const handle = await workflow.start('experiment', {
          workflowId: 'of nobody',
          taskQueue: 'without workers',
        });
        const ended = vi.fn();
        const waiting = workflowEnded(handle).catch(ended);
        cable.cut();
        await expect(handle.describe()).rejects.toThrow();
        expect(ended).not.toHaveBeenCalled();
        cable.restore();
        await lose('of nobody');
        await waiting;
        expect(ended).toHaveBeenCalledWith(expect.objectContaining({ code: 'service' }));
      } finally {
        await connection.close();
        await cable.close();
      }
    },
    MINUTE,
  );

  it(
    'is not waited for when Temporal refuses to tell of it',
    async () => {
      const { address } = home.toolsample.services.temporal;
      const connection = await Connection.connect({ address });
      try {
        const { workflow } = new Client({ connection, namespace: 'of others' });
        const refusal = { code: 'service', message: expect.stringContaining('of others') };
        const handle = workflow.getHandle(EXPERIMENT);
        await expect(workflowEnded(handle)).rejects.toMatchObject(refusal);
        await expect(waitForEnd(handle, async () => null, {})).rejects.toMatchObject(refusal);
      } finally {
        await connection.close();
      }
    },
    MINUTE,
  );
});
