import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ExperimentAsked } from '../../contracts/experiment.ts';
import { compareArms } from '../../experiments/compare-arms.ts';
import { createServedHome, type ServedHome, type WorkerChild } from '../chaos/toolsample-home.ts';

const MINUTE = 60_000;
const EXPERIMENT = 'night';

/** Two steps a run, with the shipped policy. */
const ASKED: Partial<ExperimentAsked> = {
  samplers: ['uniform', 'dscl'],
  curricula: ['none'],
  seeds: 2,
  tokens: 900,
  config: {
    corpus_size: 16,
    eval_size: 8,
    train_batch_size: 4,
    num_generations: 4,
    rollout_shard_size: 4,
  },
};

let home: ServedHome;
let worker: WorkerChild;

beforeAll(async () => {
  home = await createServedHome('experiment');
  worker = home.startWorker();
}, 2 * MINUTE);

afterAll(async () => {
  await home.remove();
}, MINUTE);

const status = async () => home.toolsample.experimentStatus(EXPERIMENT);

describe('an experiment', () => {
  it(
    'makes each run once, whatever is killed, and goes on when it is started again',
    async () => {
      const { toolsample } = home;
      await toolsample.startExperiment({ experiment: EXPERIMENT, asked: ASKED });
      await vi.waitUntil(
        async () => {
          const { runs } = await status().catch(() => ({ runs: [] }));
          return runs[1]?.state === 'running' && runs[1].generatedTokens > 0;
        },
        { timeout: MINUTE, interval: 50 },
      );
      await worker.kill();
      const [first] = (await status()).runs;
      expect(first?.state).toBe('completed');
      // Nobody works on it: asked to stop, it stops once somebody does.
      await toolsample.stopExperiment(EXPERIMENT);
      worker = home.startWorker();
      await expect(toolsample.experimentEnded(EXPERIMENT)).rejects.toThrow();
      expect(await status()).toMatchObject({ state: 'stopped' });

      const again = await toolsample.startExperiment({ experiment: EXPERIMENT, asked: null });
      expect(again).toMatchObject({ completed: false, arms: ['uniform', 'dscl'] });
      await toolsample.experimentEnded(EXPERIMENT);
      const ended = await status();
      expect(ended).toMatchObject({ state: 'completed', reason: null, baseline: 'uniform' });
      expect(ended.runs.map(({ state }) => state)).toEqual(ended.runs.map(() => 'completed'));
      expect(ended.runs.map(({ run }) => run)).toEqual([
        'night.uniform.1',
        'night.dscl.1',
        'night.uniform.2',
        'night.dscl.2',
      ]);
      expect(
        await toolsample.startExperiment({ experiment: EXPERIMENT, asked: ASKED }),
      ).toMatchObject({ completed: true });
      await expect(
        toolsample.startExperiment({ experiment: EXPERIMENT, asked: { ...ASKED, tokens: 1000 } }),
      ).rejects.toThrow('compares something else');
    },
    4 * MINUTE,
  );

  it('ends each run with the step that spends the budget, evaluated on all that is held out', async () => {
    const results = await home.toolsample.experimentResults(EXPERIMENT);
    expect(results).toHaveLength(4);
    for (const { run, steps, generatedTokens, curve } of results) {
      expect(generatedTokens).toBeGreaterThanOrEqual(900);
      const { step, totalSteps, evaluations } = await home.toolsample.status(run);
      expect({ step, totalSteps }).toEqual({ step: steps, totalSteps: steps });
      const [last] = (await home.toolsample.steps(run)).slice(-1);
      expect(generatedTokens - (last?.generatedTokens ?? 0)).toBeLessThan(900);
      expect(curve[0]?.tokens).toBe(0);
      expect(curve.at(-1)?.tokens).toBe(generatedTokens);
      expect(evaluations.filter((each) => each.step === step).map(({ split }) => split)).toEqual([
        'heldout',
        'unseen',
      ]);
    }
    expect(compareArms(['uniform', 'dscl'], 'uniform', results).map(({ seeds }) => seeds)).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it(
    'has runs that came to the same weights as undisturbed ones do',
    async () => {
      const { toolsample } = home;
      const config = { ...(await toolsample.config('night.dscl.1')) };
      await toolsample.startRun({ run: 'undisturbed', config });
      const { policySha256 } = await toolsample.waitFor('undisturbed');
      expect(policySha256).toMatch(/^[0-9a-f]{64}$/);
      expect((await toolsample.status('night.dscl.1')).policySha256).toBe(policySha256);
    },
    MINUTE,
  );

  it('counts no run that somebody else made under one of its ids', async () => {
    const { toolsample } = home;
    const { run } = await toolsample.startRun({
      run: 'torn.dscl.1',
      config: { ...ASKED.config, max_steps: 1 },
    });
    await toolsample.waitFor(run);
    await toolsample.startExperiment({ experiment: 'torn', asked: ASKED });
    await expect(toolsample.experimentEnded('torn')).rejects.toThrow(
      'run "torn.dscl.1" exists with another configuration',
    );
    expect(await toolsample.experimentStatus('torn')).toMatchObject({ state: 'failed' });
  });
});
