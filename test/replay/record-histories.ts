import { ApplicationFailure } from '@temporalio/common';
import type { RunRequest } from '../../contracts/requests.ts';
import { EXPERIMENT, POLICY_EVALUATION, RUN_SIGNALS } from '../../contracts/temporal.ts';
import { SHORT_HISTORIES, createHarness } from '../workflow/harness.ts';
import {
  SMALL_PLAN,
  heldFirstStep,
  heldUntilCancelled,
  smallExperiment,
  spendingIn,
  untilCancelled,
  type RecordedCall,
} from '../workflow/stand-in-activities.ts';
import { recordHistory, recordings } from './histories.ts';

/*
 * npm run record-histories -- NAME
 *
 * Records what today's workflows do, on a real server, as a recording of its own: from then on every change has to replay it.
 * To be run after the workflows have changed; the recordings that exist stay.
 */

const DEADLINE_MILLISECONDS = 60_000;

async function record(recording: string): Promise<void> {
  const harness = await createHarness();
  const { client } = harness.server;
  const save = async (name: string, workflowId: string): Promise<void> =>
    recordHistory(client, workflowId, recording, name);
  try {
    // Everything in it: warm start, backfill, evaluations, a pause.
    const completed = await harness.runToEnd({
      plan: { ...SMALL_PLAN, searchAttributes: true },
      during: async (handle, calls) => {
        // The epoch is under way: it is told.
        await until(calls, 'selectBatch', 1);
        await handle.signal(RUN_SIGNALS.pause);
        await handle.signal(RUN_SIGNALS.continue);
      },
    });
    await save('run-completed', completed.handle.workflowId);
    await save('epoch-completed', `${completed.handle.workflowId}/epoch-1`);
    // Evaluations and gradients that several workers share.
    const sharded = await harness.runToEnd({
      plan: {
        ...SMALL_PLAN,
        evaluationShards: { heldout: 2, unseen: 1 },
        gradientShards: 2,
      },
    });
    await save('run-sharded', sharded.handle.workflowId);
    await save('epoch-sharded', `${sharded.handle.workflowId}/epoch-1`);
    // By updates, a fork: all of them change what the workflows do, or leave something to be answered.
    const first = heldFirstStep();
    const steered = await harness.runToEnd({
      plan: { ...SMALL_PLAN, searchAttributes: true, forkOf: 'parent' },
      overrides: first.overrides,
      during: async (handle, calls) => {
        const ask = async (name: RunRequest, asked: object = {}) =>
          handle.executeUpdate(name, { args: [{ by: 'ada', ...asked }] });
        await until(calls, 'selectBatch', 1);
        await ask('pause');
        await ask('evaluate');
        first.open();
        // Paused.
        await until(calls, 'recordOutcome', 1);
        await ask('set', { settings: { learning_rate: 1e-4 } });
        await ask('evaluate');
        await until(calls, 'evaluatePolicy', 6);
        await ask('continue');
        await until(calls, 'selectBatch', 2);
        await ask('stop');
      },
    });
    await save('run-steered', steered.handle.workflowId);
    await save('epoch-steered', `${steered.handle.workflowId}/epoch-1`);
    const cancelled = await harness.runToEnd({
      overrides: { rollout: untilCancelled },
      during: async (handle, calls) => {
        await until(calls, 'rollout', 1);
        await handle.executeUpdate('cancel', { args: [{ by: 'ada' }] });
      },
    });
    await save('run-cancelled', cancelled.handle.workflowId);
    await save('epoch-cancelled', `${cancelled.handle.workflowId}/epoch-1`);
    // Signals close together, and a stop that reaches the epoch alone: the run has taken it back.
    const held = heldFirstStep();
    const signalled = await harness.runToEnd({
      overrides: held.overrides,
      during: async (handle, calls) => {
        await until(calls, 'selectBatch', 1);
        for (const signal of ['pause', 'continue', 'pause', 'continue'] as const)
          await handle.signal(RUN_SIGNALS[signal]);
        await until(calls, 'recordRequest', 4);
        const epoch = client.workflow.getHandle(`${handle.workflowId}/epoch-1`);
        await epoch.signal('control', { paused: false, stopping: true, revision: 5 });
        held.open();
      },
    });
    await save('run-signalled', signalled.handle.workflowId);
    const resumed = await harness.runToEnd({ plan: { ...SMALL_PLAN, committedSlices: 1 } });
    await save('run-resumed', resumed.handle.workflowId);
    const failed = await harness.runToEnd({
      overrides: {
        gradientStep: async () => {
          throw ApplicationFailure.nonRetryable('loss is NaN', 'non-finite');
        },
      },
    });
    await save('run-failed', failed.handle.workflowId);
    const workflowType = POLICY_EVALUATION;
    const evaluation = await harness.runToEnd({ workflowType });
    await save('evaluation-completed', evaluation.handle.workflowId);
    const stoppedEvaluation = await harness.runToEnd({
      workflowType,
      overrides: { evaluateSuiteShard: untilCancelled },
      during: async (handle, calls) => {
        await until(calls, 'evaluateSuiteShard', 1);
        await save('evaluation-unfinished', handle.workflowId);
        await handle.cancel();
      },
    });
    await save('evaluation-cancelled', stoppedEvaluation.handle.workflowId);
    // Its budget of tokens ends it in the second of four steps.
    const spent = await harness.runToEnd({
      plan: { ...SMALL_PLAN, searchAttributes: true },
      overrides: spendingIn(2),
    });
    await save('run-spent', spent.handle.workflowId);
    await save('epoch-spent', `${spent.handle.workflowId}/epoch-1`);
    // One run fails, one was made before, two are made side by side.
    const experiment = await harness.runToEnd({
      workflowType: EXPERIMENT,
      args: [{ tokens: 1000 }],
      overrides: smallExperiment(`of-${recording}`, { failing: 1 }),
    });
    await save('experiment-failed', experiment.handle.workflowId);
    const whole = await harness.runToEnd({
      workflowType: EXPERIMENT,
      args: [{ tokens: 1000 }],
      overrides: smallExperiment(`whole-${recording}`, {}),
    });
    await save('experiment-completed', whole.handle.workflowId);
    // One at a time; Temporal cancels the first by itself.
    const alone = `alone-${recording}.dscl.1`;
    const torn = await harness.runToEnd({
      workflowType: EXPERIMENT,
      args: [{ tokens: 1000 }],
      overrides: {
        ...smallExperiment(`alone-${recording}`, { parallel: 1 }),
        ...heldUntilCancelled(alone),
      },
      during: async (_, calls) => {
        await until(calls, 'rollout', 1);
        await client.workflow.getHandle(alone).cancel();
      },
    });
    await save('experiment-cancelled', torn.handle.workflowId);
    // What an upgrade in the middle of a run finds.
    await harness.runToEnd({
      plan: { ...SMALL_PLAN, searchAttributes: true },
      during: async (handle, calls) => {
        await until(calls, 'gradientStep', 3);
        await save('run-unfinished', handle.workflowId);
        await save('epoch-unfinished', `${handle.workflowId}/epoch-2`);
      },
    });
  } finally {
    await harness.server.stop();
  }
}

/** A run that continues as new in the middle of its warm start, and then goes on with it. */
async function recordContinued(recording: string): Promise<void> {
  const harness = await createHarness(SHORT_HISTORIES);
  try {
    const { workflowId, firstExecutionRunId } = (
      await harness.runToEnd({ plan: { ...SMALL_PLAN, warmStartSlices: 4 } })
    ).handle;
    const { client } = harness.server;
    const first = await client.workflow.getHandle(workflowId, firstExecutionRunId).fetchHistory();
    const { newExecutionRunId } =
      first.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes ?? {};
    await recordHistory(client, workflowId, recording, 'run-continued', firstExecutionRunId);
    await recordHistory(client, workflowId, recording, 'run-goes-on', newExecutionRunId ?? '');
  } finally {
    await harness.server.stop();
  }
}

/** Waits until an activity was called for so many steps. */
async function until(
  calls: readonly RecordedCall[],
  activity: string,
  times: number,
): Promise<void> {
  const deadline = Date.now() + DEADLINE_MILLISECONDS;
  while (calls.filter((call) => call.activity === activity).length < times) {
    if (Date.now() > deadline) throw new Error(`${activity} was not called ${times} times`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const [name] = process.argv.slice(2);
if (name === undefined || !/^[\w.-]+$/.test(name) || (await recordings()).includes(name)) {
  console.error('npm run record-histories -- NAME: a new name, such as the date or the version');
  process.exitCode = 2;
} else {
  await record(name);
  await recordContinued(name);
}
