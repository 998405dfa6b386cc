import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { acceleratorQueue } from '../../contracts/temporal.ts';
import { bundleWorkflows, ownWorkflows } from '../workflow/harness.ts';
import {
  SMALL_PLAN,
  standInActivities,
  type AnyActivities,
  type RecordedCall,
} from '../workflow/stand-in-activities.ts';
import { startTemporalServer, type TestServer } from '../workflow/temporal-server.ts';
import { recordedHistories, replay } from './histories.ts';

/* The code changes in the middle of a run: in a step, rewards are scored once more before the curriculum is updated. */

const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));
const PLACE = '  const curriculum = await light.updateCurriculum';
const QUEUE = 'upgrade';
/** One epoch: its workflow goes through the upgrade. */
const PLAN = { ...SMALL_PLAN, epochs: 1, stepsPerEpoch: 4, maxBackfillRounds: 0 };

let root: string;
let server: TestServer;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-upgrade-'));
  server = await startTemporalServer();
}, 120_000);
afterAll(async () => {
  await server.stop();
  await rm(root, { recursive: true, force: true });
});

/** The workflows with one statement more. */
async function changedWorkflows(name: string, statement: string): Promise<WorkflowBundle> {
  const folder = join(root, name);
  for (const part of ['workflows', 'contracts', 'package.json', 'tsconfig.json']) {
    await cp(join(CHECKOUT, part), join(folder, part), { recursive: true });
  }
  await symlink(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'workflows', 'training-step.ts');
  const source = await readFile(file, 'utf8');
  expect(source.split(PLACE)).toHaveLength(2);
  const changed = `import { patched } from '@temporalio/workflow';\n${source}`;
  await writeFile(file, changed.replace(PLACE, `  ${statement}\n${PLACE}`));
  return bundleWorkflows(join(folder, 'workflows', 'index.ts'));
}

/** Works with that code until `until` is done; returns what was called. */
async function work(
  workflowBundle: WorkflowBundle,
  overrides: Partial<AnyActivities>,
  until: (calls: readonly RecordedCall[]) => Promise<unknown>,
): Promise<RecordedCall[]> {
  const { activities, calls } = standInActivities(PLAN, overrides);
  const common = { connection: server.nativeConnection, activities };
  const light = await Worker.create({ ...common, taskQueue: QUEUE, workflowBundle });
  const accelerator = await Worker.create({ ...common, taskQueue: acceleratorQueue(QUEUE) });
  await accelerator.runUntil(light.runUntil(async () => until(calls)));
  return calls;
}

/** Steps in which an activity was called. */
function stepsOf(calls: readonly RecordedCall[], activity: string): number[] {
  return calls.flatMap((call) =>
    call.activity === activity && 'step' in call.input ? [Number(call.input.step)] : [],
  );
}

describe('an upgrade in the middle of a run', () => {
  it('goes on with the old order where it began, and with the new one from then on', async () => {
    const patchedWorkflows = await changedWorkflows(
      'patched',
      `if (patched('score-again')) await score(0);`,
    );
    for (const recorded of await recordedHistories()) await replay(patchedWorkflows, recorded);

    const before = await work(
      await ownWorkflows(),
      {
        gradientStep: async ({ step }) => {
          if (step === 2) throw ApplicationFailure.retryable('the old version is being stopped');
          return standInActivities(PLAN).activities.gradientStep({ run: 'mid', epoch: 1, step });
        },
      },
      async (calls) => {
        await server.client.workflow.start('trainingRun', {
          taskQueue: QUEUE,
          workflowId: 'mid',
          args: [{}],
        });
        await vi.waitUntil(() => stepsOf(calls, 'gradientStep').includes(2), 60_000);
      },
    );
    expect(stepsOf(before, 'scoreRewards')).toEqual([1, 2]);
    const after = await work(patchedWorkflows, {}, async () =>
      expect(await server.client.workflow.getHandle('mid').result()).toMatchObject({ steps: 4 }),
    );
    expect(stepsOf(after, 'scoreRewards')).toEqual([3, 3, 4, 4]);
    expect(stepsOf(after, 'gradientStep')).toEqual([2, 3, 4]);
  }, 180_000);

  it('is refused by name where the change was not put behind patched()', async () => {
    const broken = await changedWorkflows('unpatched', 'await score(0); void patched;');
    const unfinished = (await recordedHistories()).filter(({ name }) =>
      name.endsWith('epoch-unfinished'),
    );
    expect(unfinished.length).toBeGreaterThan(0);
    for (const recorded of unfinished) {
      await expect(replay(broken, recorded)).rejects.toThrow(/^trainingEpoch has changed/);
    }
  }, 120_000);
});
