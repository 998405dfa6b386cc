import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToolsample, type ToolsampleClient } from '../../client.ts';
import type { RunStatus } from '../../contracts/run-status.ts';
import { epochWorkflowId } from '../../contracts/temporal.ts';
import { ensureServices } from '../../services/services.ts';
import { inTheMiddleOf, retriedActivities } from './activity-history.ts';
import { differences, outcomeOf, type Outcome } from './outcome.ts';
import { CHAOS_CONFIG } from './run-configs.ts';
import { createHome, type Home } from './toolsample-home.ts';

const MINUTES = 60_000;
const RUN = 'chaos';

type Ended = Outcome & { readonly status: RunStatus };

const homes: Home[] = [];

/** Runs to the end; `during` may do harm. */
async function train(
  name: string,
  during: (home: Home, toolsample: ToolsampleClient) => Promise<ToolsampleClient>,
): Promise<Ended> {
  const home = await createHome(name);
  homes.push(home);
  const started = await connectToolsample({ home: home.path });
  await started.startRun({ run: RUN, config: CHAOS_CONFIG });
  const toolsample = await during(home, started);
  const status = await toolsample.waitFor(RUN);
  const { databaseUrl, folder } = toolsample.services;
  const outcome = await outcomeOf(databaseUrl, folder.home, RUN);
  await toolsample.close();
  return { ...outcome, status };
}

let undisturbed: Ended;
let disturbed: Ended;
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
    expect(differences(undisturbed, disturbed)).toEqual([]);
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
