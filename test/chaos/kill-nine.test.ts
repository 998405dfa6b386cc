import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToolsample, type ToolsampleClient } from '../../client.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { RunStatus } from '../../contracts/run-status.ts';
import { epochWorkflowId } from '../../contracts/temporal.ts';
import { ensureServices } from '../../services/services.ts';
import { inTheMiddleOf, retriedActivities } from './activity-history.ts';
import { createHome, type Home } from './toolsample-home.ts';
import { allRows } from './run-rows.ts';

const MINUTES = 60_000;
const RUN = 'chaos';

/** The shipped policy, a few steps; but everything happens: a warm start in slices, dropped groups, backfill, real gradients, evaluations. */
const CONFIG: RunConfigInput = {
  corpus_size: 32,
  level_mix: [1, 0, 0, 0],
  eval_size: 16,
  max_steps: 4,
  train_batch_size: 4,
  num_generations: 8,
  rollout_shard_size: 3,
  max_backfill_rounds: 1,
  save_total_limit: 1,
  threads: 1,
  warm_start: [
    { data: 'builtin', steps: 112, batch_tokens: 200, levels: [0], learning_rate: 1e-4 },
  ],
};

interface Outcome {
  readonly status: RunStatus;
  readonly rows: Map<string, string[]>;
  readonly weights: string;
}

const homes: Home[] = [];

/** Runs to the end; `during` may do harm. */
async function train(
  name: string,
  during: (home: Home, toolsample: ToolsampleClient) => Promise<ToolsampleClient>,
): Promise<Outcome> {
  const home = await createHome(name);
  homes.push(home);
  const started = await connectToolsample({ home: home.path });
  await started.startRun({ run: RUN, config: CONFIG });
  const toolsample = await during(home, started);
  const status = await toolsample.waitFor(RUN);
  const rows = await allRows(toolsample.services.databaseUrl, toolsample.services.folder.home);
  await toolsample.close();
  const bytes = await readFile(join(status.policyFolder ?? '', 'model.safetensors'));
  return { status, rows, weights: createHash('sha256').update(bytes).digest('hex') };
}

let undisturbed: Outcome;
let disturbed: Outcome;
const retried = new Set<string>();

beforeAll(async () => {
  undisturbed = await train('undisturbed', async (home, toolsample) => {
    home.startWorker();
    return toolsample;
  });
  await homes[0]?.remove();

  disturbed = await train('disturbed', async (home, toolsample) => {
    let worker = home.startWorker();
    const killIn = async (client: ToolsampleClient, workflowId: string, activity: string) => {
      await inTheMiddleOf(client, workflowId, activity);
      await worker.kill();
    };
    await killIn(toolsample, RUN, 'warmStart');
    worker = home.startWorker();
    await killIn(toolsample, epochWorkflowId(RUN, 1), 'rollout');
    worker = home.startWorker();
    // The database alone: the worker lives on, and waits for it.
    await inTheMiddleOf(toolsample, epochWorkflowId(RUN, 1), 'rollout');
    await home.killServices('postgres');
    await ensureServices({ home: home.path });
    await killIn(toolsample, epochWorkflowId(RUN, 1), 'gradientStep');
    // Now everything at once, as when the power fails.
    await home.killServices('postgres', 'temporal');
    await toolsample.close();
    const again = await connectToolsample({ home: home.path });
    home.startWorker();
    await again.waitFor(RUN);
    for (const workflowId of [RUN, epochWorkflowId(RUN, 1)]) {
      for (const name of await retriedActivities(again, workflowId)) retried.add(name);
    }
    return again;
  });
}, 15 * MINUTES);

afterAll(async () => {
  for (const home of homes) await home.remove();
}, 2 * MINUTES);

describe('a run whose worker, database and Temporal server were killed', () => {
  it('was really hit in a warm-start slice, a rollout and a gradient step', () => {
    expect([...retried].sort()).toEqual(
      expect.arrayContaining(['gradientStep', 'rollout', 'warmStart']),
    );
  });

  it('completes with the weights of an undisturbed run, byte for byte', () => {
    expect(disturbed.status.state).toBe('completed');
    expect(disturbed.weights).toBe(undisturbed.weights);
    expect(disturbed.status.policySha256).toBe(disturbed.weights);
  });

  it('leaves the same rows in every table', () => {
    expect([...disturbed.rows.keys()]).toEqual([...undisturbed.rows.keys()]);
    for (const [table, rows] of undisturbed.rows) {
      expect(disturbed.rows.get(table), table).toEqual(rows);
    }
  });

  it('trained for real: groups were dropped, backfilled, and moved the policy', () => {
    expect(undisturbed.status.step).toBe(4);
    expect(undisturbed.rows.get('rollouts')?.length).toBeGreaterThan(4 * 5 * 8 - 1);
    const weights = (undisturbed.rows.get('checkpoints') ?? []).map((row) => JSON.parse(row)[5]);
    expect(new Set(weights).size).toBe(weights.length);
    const rounds = (undisturbed.rows.get('rounds') ?? []).map((row) => JSON.parse(row)[2]);
    expect(rounds).toContain('1');
  });
});
