import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { expect, it } from 'vitest';
import { RUN_SIGNALS, acceleratorQueue } from '../../contracts/temporal.ts';
import { SMALL_PLAN, standInActivities } from './stand-in-activities.ts';
import { startTemporalServer } from './temporal-server.ts';

it('continues as new in the middle of an epoch and between epochs, and loses nothing', async () => {
  // The server suggests it after so few events that one step is enough.
  const server = await startTemporalServer([
    '--dynamic-config-value',
    'limit.historyCount.suggestContinueAsNew=20',
  ]);
  try {
    const taskQueue = 'short-histories';
    const { activities, calls } = standInActivities({ ...SMALL_PLAN, searchAttributes: true });
    const common = { connection: server.nativeConnection, activities };
    const light = await Worker.create({
      ...common,
      taskQueue,
      workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    });
    const accelerator = await Worker.create({ ...common, taskQueue: acceleratorQueue(taskQueue) });
    const handle = await accelerator.runUntil(
      light.runUntil(async () => {
        const started = await server.client.workflow.start('trainingRun', {
          taskQueue,
          workflowId: 'long',
          args: [{ maxSteps: 4 }],
        });
        // Survives continue-as-new too: a pause that is taken back at once.
        await started.signal(RUN_SIGNALS.pause);
        await started.signal(RUN_SIGNALS.continue);
        const result = await started.result();
        expect(result).toMatchObject({ steps: 4 });
        expect(result.evaluations.map((row: { step: number }) => row.step)).toEqual([
          0, 0, 2, 4, 4,
        ]);
        return started;
      }),
    );

    const steps = calls.flatMap(({ activity, input }) =>
      activity === 'gradientStep' && 'step' in input ? [input.step] : [],
    );
    expect(steps).toEqual([1, 2, 3, 4]);
    expect(calls.filter(({ activity }) => activity === 'prepareRun')).toHaveLength(1);
    expect(calls.filter(({ activity }) => activity === 'warmStart')).toHaveLength(2);

    const current = await handle.describe();
    expect(current.runId).not.toBe(handle.firstExecutionRunId);
    const child = server.client.workflow.getHandle('long/epoch-2');
    const childResult = await child.result();
    expect(childResult.steps.map((row: { step: number }) => row.step)).toEqual([3, 4]);
    const first = (await child.fetchHistory()).events?.[0];
    expect(
      first?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId?.length,
    ).toBeGreaterThan(0);
    expect((await child.describe()).searchAttributes).toMatchObject({ ToolsampleReward: [1.4] });
  } finally {
    await server.stop();
  }
}, 180_000);
