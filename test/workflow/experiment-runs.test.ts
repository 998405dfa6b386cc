import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPERIMENT, TRAINING_RUN } from '../../contracts/temporal.ts';
import { called } from './called.ts';
import { createHarness, type Harness } from './harness.ts';
import { heldUntilCancelled, smallExperiment, untilCancelled } from './stand-in-activities.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await createHarness();
});
afterAll(async () => {
  await harness.server.stop();
});

// A busy machine takes ten times as long.
describe('an experiment', { timeout: 180_000 }, () => {
  it('makes what is left of its runs, also where one fails, and then says which', async () => {
    const { calls, result } = await harness.runToEnd({
      workflowType: EXPERIMENT,
      args: [{ tokens: 1000 }],
      overrides: smallExperiment('torn', { failing: 1 }),
    });
    expect(result).toMatchObject({
      status: 'rejected',
      reason: {
        cause: {
          message: '1 of 4 runs did not complete: torn.dscl.1: no such file',
        },
      },
    });
    // The first was made before; two at a time begin in any order.
    const prepared = calls.filter(({ activity }) => activity === 'prepareRun');
    expect(prepared).toHaveLength(3);
    for (const [run, config] of [
      ['torn.dscl.1', { sampler: 'dscl', seed: 1 }],
      ['torn.uniform.2', { sampler: 'uniform', seed: 2 }],
      ['torn.dscl.2', { sampler: 'dscl', seed: 2 }],
    ] as const) {
      expect(prepared.map(({ input }) => input)).toContainEqual({
        run,
        config: { corpusSize: 16, ...config },
      });
    }
    expect(calls.filter(({ activity }) => activity === 'exportPolicy')).toHaveLength(2);
    expect(calls.at(-1)).toMatchObject({
      activity: 'recordExperiment',
      input: { state: 'failed' },
    });
  });

  it('makes the others of a run that Temporal cancels by itself, and says which it was', async () => {
    const held = 'alone.dscl.1';
    const { calls, handle, result } = await harness.runToEnd({
      workflowType: EXPERIMENT,
      args: [{ tokens: 1000 }],
      overrides: {
        ...smallExperiment('alone', { parallel: 1 }),
        ...heldUntilCancelled(held),
      },
      during: async (_, calls) => {
        await called(calls, 'rollout');
        await harness.server.client.workflow.getHandle(held).cancel();
      },
    });
    const reason =
      '1 of 4 runs did not complete: alone.dscl.1: cancelled; start the run again to go on';
    expect(result).toMatchObject({ status: 'rejected', reason: { cause: { message: reason } } });
    expect((await handle.describe()).status.name).toBe('FAILED');
    expect(calls.filter(({ activity }) => activity === 'exportPolicy')).toHaveLength(2);
    expect(calls.at(-1)).toMatchObject({
      activity: 'recordExperiment',
      input: { state: 'failed', reason },
    });
  });

  it('ends as cancelled when it is, with its runs, and begins no other', async () => {
    const { calls, handle } = await harness.runToEnd({
      workflowType: EXPERIMENT,
      args: [{ tokens: 1000 }],
      overrides: { ...smallExperiment('whole', {}), rollout: untilCancelled },
      during: async (experiment, calls) => {
        await called(calls, 'prepareRun', 2);
        await called(calls, 'rollout');
        await experiment.cancel();
      },
    });
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect(calls.filter(({ activity }) => activity === 'prepareRun')).toHaveLength(2);
    expect(calls.at(-1)).toMatchObject({
      activity: 'recordExperiment',
      input: { state: 'stopped' },
    });
  });

  it('says which of its runs somebody else has under way, and makes the others', async () => {
    const runs = smallExperiment('taken', {});
    const { calls, result } = await harness.runToEnd({
      workflowType: EXPERIMENT,
      args: [{ tokens: 1000 }],
      overrides: {
        ...runs,
        prepareExperiment: async (asked) => {
          // Nobody works on it.
          await harness.server.client.workflow.start(TRAINING_RUN, {
            workflowId: 'taken.dscl.1',
            taskQueue: 'nobody',
          });
          return runs.prepareExperiment(asked);
        },
      },
    });
    expect(result).toMatchObject({
      reason: {
        cause: {
          message:
            '1 of 4 runs did not complete: taken.dscl.1: it is under way by itself; ' +
            'once it has ended, the same command goes on',
        },
      },
    });
    expect(calls.filter(({ activity }) => activity === 'exportPolicy')).toHaveLength(2);
  });
});
