import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RUN_SIGNALS, type RunProgress } from '../../contracts/temporal.ts';
import { called } from './called.ts';
import { createHarness, type Harness } from './harness.ts';
import {
  SMALL_PLAN,
  spendingIn,
  untilCancelled,
  type RecordedCall,
} from './stand-in-activities.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await createHarness();
});
afterAll(async () => {
  await harness.server.stop();
});

function names(calls: readonly RecordedCall[]): string[] {
  return calls.map((call) => call.activity);
}

/** Holds chosen steps until they are opened, so that a test decides what happens meanwhile. */
function gateAt(held: (step: number) => boolean): {
  pass(step: number): Promise<void>;
  open(step: number): void;
} {
  const opened = new Set<number>();
  return {
    async pass(step) {
      if (held(step)) await expect.poll(() => opened.has(step), { timeout: 30_000 }).toBe(true);
    },
    open(step) {
      opened.add(step);
    },
  };
}

const STEP = [
  'selectBatch',
  'rollout',
  'rollout',
  'scoreRewards',
  'filterGroups',
  'rollout',
  'scoreRewards',
  'filterGroups',
  'updateCurriculum',
  'gradientStep',
];

// A busy machine takes ten times as long.
describe('trainingRun', { timeout: 180_000 }, () => {
  it('calls the activities in the order of the algorithm, with keys only, and reports the policy', async () => {
    const { calls, handle, result } = await harness.runToEnd({ args: [] });
    expect(names(calls)).toEqual([
      'prepareRun',
      'warmStart',
      'warmStart',
      'evaluatePolicy',
      'evaluatePolicy',
      ...STEP,
      ...STEP,
      'evaluatePolicy',
      ...STEP,
      ...STEP,
      'evaluatePolicy',
      'evaluatePolicy',
      'exportPolicy',
    ]);
    expect(calls[0]?.input).toEqual({ run: handle.workflowId, config: {} });
    const step3 = calls.filter(({ input }) => 'step' in input && input.step === 3);
    expect(step3.map(({ input }) => input)).toContainEqual({
      run: handle.workflowId,
      epoch: 2,
      step: 3,
      round: 1,
      shard: 0,
    });
    expect(result).toMatchObject({
      status: 'fulfilled',
      value: { steps: 4, policySha256: 'ab'.repeat(32), folder: '/policy' },
    });
  });

  it('shows step table, summaries and search attributes', async () => {
    const { handle } = await harness.runToEnd({ plan: { ...SMALL_PLAN, searchAttributes: true } });
    const child = harness.server.client.workflow.getHandle(`${handle.workflowId}/epoch-2`);
    const description = await child.describe();
    expect(await description.staticSummary()).toBe('small: epoch 2 of 2, steps 3 to 4');
    expect(description.searchAttributes).toMatchObject({
      ToolsampleRun: [handle.workflowId],
      ToolsampleEpoch: [2],
      ToolsampleReward: [1.4],
      ToolsampleSampler: ['dscl'],
    });
    const history = await child.fetchHistory();
    const summaries = (history.events ?? [])
      .filter((event) => event.activityTaskScheduledEventAttributes != null)
      .map((event) => JSON.parse(Buffer.from(event.userMetadata?.summary?.data ?? []).toString()));
    expect(summaries).toContain('step 3: rollout shard 2 of 2');
    expect(summaries).toContain('step 4: gradient step');
    expect(summaries.every((text) => typeof text === 'string' && text.length > 0)).toBe(true);
  });

  it('goes on after the committed step and catches up on its evaluation', async () => {
    const { calls } = await harness.runToEnd({ plan: { ...SMALL_PLAN, committedStep: 2 } });
    const steps = calls.flatMap(({ activity, input }) =>
      activity === 'selectBatch' && 'step' in input ? [input.step] : [],
    );
    expect(steps).toEqual([3, 4]);
    const evaluated = calls.flatMap(({ activity, input }) =>
      activity === 'evaluatePolicy' && 'step' in input ? [input.step] : [],
    );
    expect(evaluated).toEqual([0, 0, 2, 4, 4]);
  });

  it('trains on what was kept once no backfill round is left', async () => {
    const { calls } = await harness.runToEnd({
      overrides: { filterGroups: async () => ({ kept: 0, dropped: 4, backfillShards: 1 }) },
    });
    const rounds = calls.flatMap(({ activity, input }) =>
      activity === 'filterGroups' && 'step' in input && input.step === 1 && 'round' in input
        ? [input.round]
        : [],
    );
    expect(rounds).toEqual([0, 1, 2]);
    expect(names(calls).at(-1)).toBe('exportPolicy');
  });

  it('fails with the one line of the cause, and records it', async () => {
    const message = 'data.parquet, row 7, field "prompt": is missing — add it';
    const { calls, result } = await harness.runToEnd({
      overrides: {
        gradientStep: async () => {
          throw ApplicationFailure.nonRetryable(message, 'dataset');
        },
      },
    });
    expect(calls.at(-1)).toEqual({
      activity: 'recordOutcome',
      input: { run: expect.any(String), state: 'failed', reason: message },
    });
    const error = result.status === 'rejected' ? result.reason : undefined;
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect(error.cause.message).toBe(message);
    expect(error.cause.type).toBe('dataset');
  });

  it('retries what can heal', async () => {
    let attempts = 0;
    const { result } = await harness.runToEnd({
      overrides: {
        exportPolicy: async () => {
          attempts++;
          if (attempts === 1) throw new Error('connection refused');
          return { policySha256: 'cd'.repeat(32), folder: '/policy' };
        },
      },
    });
    expect(attempts).toBe(2);
    expect(result).toMatchObject({ value: { policySha256: 'cd'.repeat(32) } });
  });

  it('takes a stop back, pauses at the next step, goes on, and stops', async () => {
    const gate = gateAt((step) => step === 1 || step === 3);
    const { calls, result, handle } = await harness.runToEnd({
      overrides: {
        selectBatch: async ({ step }) => {
          await gate.pass(step);
          return { groups: 4, shards: 1, active: true };
        },
      },
      during: async (running, seen) => {
        const child = (epoch: number) =>
          harness.server.client.workflow.getHandle(`${running.workflowId}/epoch-${epoch}`);
        await called(seen, 'selectBatch');
        await running.signal(RUN_SIGNALS.stop);
        await running.signal(RUN_SIGNALS.continue);
        await running.signal(RUN_SIGNALS.pause);
        await expect
          .poll(async () => child(1).query<RunProgress>('progress'), { timeout: 20_000 })
          .toMatchObject({ step: 0, paused: true });
        gate.open(1);
        await called(seen, 'recordOutcome');
        expect(await child(1).query<RunProgress>('progress')).toEqual({
          phase: 'epoch 1 of 2',
          epoch: 1,
          step: 1,
          totalSteps: 4,
          paused: true,
          stopping: false,
        });
        await running.signal(RUN_SIGNALS.continue);
        await called(seen, 'selectBatch', 3);
        await running.signal(RUN_SIGNALS.stop);
        // The answer shows that the signals before it were handled.
        await running.query('progress');
        gate.open(3);
      },
    });
    const outcomes = calls.filter(({ activity }) => activity === 'recordOutcome');
    expect(outcomes.map(({ input }) => 'state' in input && input.state)).toEqual([
      'paused',
      'running',
      'stopped',
    ]);
    expect(names(calls).filter((name) => name === 'gradientStep')).toHaveLength(3);
    const error = result.status === 'rejected' ? result.reason : undefined;
    expect(error.cause).toMatchObject({ type: 'Stopped', nonRetryable: true });
    expect(error.cause.message).toContain('after step 3');
    expect((await handle.describe()).status.name).toBe('FAILED');
  });

  it('cancels the activity under way and records the run as stopped', async () => {
    let aborted = false;
    const { calls, handle } = await harness.runToEnd({
      overrides: {
        rollout: async () => {
          try {
            return await untilCancelled();
          } finally {
            aborted = true;
          }
        },
      },
      during: async (running, seen) => {
        await called(seen, 'rollout');
        await running.cancel();
      },
    });
    expect(aborted).toBe(true);
    expect(calls.at(-1)).toMatchObject({
      activity: 'recordOutcome',
      input: { state: 'stopped' },
    });
    expect((await handle.describe()).status.name).toBe('CANCELLED');
  });

  it('ends with the step that spends the budget of tokens, evaluated on all splits', async () => {
    const { calls, result } = await harness.runToEnd({ overrides: spendingIn(1) });
    expect(result).toMatchObject({ status: 'fulfilled', value: { steps: 1 } });
    expect(names(calls).filter((activity) => activity === 'selectBatch')).toHaveLength(1);
    expect(
      calls.filter(({ activity }) => activity === 'evaluatePolicy').map(({ input }) => input),
    ).toMatchObject([
      { step: 0, split: 'heldout' },
      { step: 0, split: 'unseen' },
      { step: 1, split: 'heldout' },
      { step: 1, split: 'unseen' },
    ]);
    expect(calls.at(-1)).toMatchObject({ activity: 'exportPolicy', input: { epoch: 1, step: 1 } });
  });
});
