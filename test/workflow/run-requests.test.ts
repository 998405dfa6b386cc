import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AcceptedRequest } from '../../contracts/requests.ts';
import { RUN_SIGNALS } from '../../contracts/temporal.ts';
import { called } from './called.ts';
import { createHarness, type Harness } from './harness.ts';
import { heldFirstStep, untilCancelled, type RecordedCall } from './stand-in-activities.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await createHarness();
});
afterAll(async () => {
  await harness.server.stop();
});

function inputsOf(calls: readonly RecordedCall[], activity: string) {
  return calls.flatMap((call) =>
    call.activity === activity ? [call.input as { readonly [key: string]: unknown }] : [],
  );
}

async function ask(handle: WorkflowHandle, name: string, asked?: object): Promise<AcceptedRequest> {
  return handle.executeUpdate<AcceptedRequest, [object | undefined]>(name, { args: [asked] });
}

/** Why an update was refused: type and message. */
async function refusal(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => 'accepted',
    (reason: unknown) => reason,
  );
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : error;
  return cause instanceof ApplicationFailure
    ? `${cause.type ?? ''}: ${cause.message}`
    : String(cause);
}

// A busy machine takes ten times as long.
describe('requests of a run under way', { timeout: 180_000 }, () => {
  it('are validated, answered, recorded with who asked, and take effect at the next step', async () => {
    const held = heldFirstStep();
    const { calls, result, handle } = await harness.runToEnd({
      overrides: held.overrides,
      during: async (running, seen) => {
        await called(seen, 'selectBatch');
        const run = running.workflowId;
        expect(await refusal(ask(running, 'continue'))).toBe(`refused: run "${run}" is not paused`);
        expect(await ask(running, 'pause', { by: 'ada' })).toEqual({
          run,
          request: 'pause',
          by: 'ada',
          step: 0,
          changes: [],
        });
        expect(await refusal(ask(running, 'pause'))).toContain('is paused already');
        expect(await refusal(ask(running, 'pause', { by: 7 }))).toContain('config: field "by"');
        expect(await refusal(ask(running, 'set', {}))).toContain('config: field "settings"');
        expect(
          await refusal(ask(running, 'set', { settings: { key: 'x'.repeat(9000) } })),
        ).toContain('is longer than');
        expect(await ask(running, 'evaluate')).toMatchObject({
          request: 'evaluate',
          by: 'unknown',
        });
        held.open();
        // The step ends, the policy is evaluated on every split, the run waits.
        await called(seen, 'recordOutcome');
        expect(await ask(running, 'set', { settings: { lr: 1 } })).toMatchObject({
          changes: [{ key: 'lr', from: 0, to: 1, fromStep: 2 }],
        });
        await ask(running, 'evaluate', { by: 'ada' });
        await called(seen, 'evaluatePolicy', 6);
        await ask(running, 'continue', { by: 'ada' });
      },
    });
    expect(result.status).toBe('fulfilled');
    expect(inputsOf(calls, 'recordRequest')).toMatchObject([
      { kind: 'pause', by: 'ada', via: 'update', from: 'running', to: 'paused' },
      { kind: 'evaluate', by: 'unknown' },
      { kind: 'evaluate', by: 'ada' },
      { kind: 'continue', from: 'paused', to: 'running' },
    ]);
    expect(inputsOf(calls, 'changeSettings')).toHaveLength(1);
    expect(
      inputsOf(calls, 'evaluatePolicy').map(
        ({ step, split }) => `${String(step)} ${String(split)}`,
      ),
    ).toEqual([
      '0 heldout',
      '0 unseen',
      // Asked for during step 1, then in the pause after it: done at once, and answered from what is stored.
      '1 heldout',
      '1 unseen',
      '1 heldout',
      '1 unseen',
      // What the selection of step 4 said; the plan would have had step 2 and both splits.
      '4 heldout',
    ]);
    const requests = inputsOf(calls, 'recordRequest').map(({ request }) => request);
    expect(new Set(requests).size).toBe(requests.length);
    expect(await refusal(ask(handle, 'pause'))).toContain('already completed');
  });

  it('hand on why the worker refused a setting', async () => {
    const held = heldFirstStep();
    await harness.runToEnd({
      overrides: {
        ...held.overrides,
        changeSettings: async () => {
          throw ApplicationFailure.nonRetryable('field "lerning_rate": unknown key', 'config');
        },
      },
      during: async (running, seen) => {
        await called(seen, 'selectBatch');
        expect(await refusal(ask(running, 'set', { settings: { lerning_rate: 1 } }))).toBe(
          'config: field "lerning_rate": unknown key',
        );
        held.open();
      },
    });
  });

  it('stop after the step under way and leave the policy behind, unless told otherwise', async () => {
    for (const asked of [{}, { export: false }]) {
      const held = heldFirstStep();
      const { calls, result } = await harness.runToEnd({
        overrides: held.overrides,
        during: async (running, seen) => {
          await called(seen, 'selectBatch');
          await ask(running, 'stop', asked);
          expect(await refusal(ask(running, 'pause'))).toContain('is stopping already');
          held.open();
        },
      });
      const exports = inputsOf(calls, 'exportPolicy');
      expect(exports).toMatchObject('export' in asked ? [] : [{ step: 1, stopped: true }]);
      expect(inputsOf(calls, 'recordOutcome')).toMatchObject([{ state: 'stopped' }]);
      const error = result.status === 'rejected' ? result.reason : undefined;
      expect(error.cause).toMatchObject({ type: 'Stopped' });
    }
  });

  it('are recorded when they come as signals, too', async () => {
    const held = heldFirstStep();
    const { calls } = await harness.runToEnd({
      overrides: held.overrides,
      during: async (running, seen) => {
        await called(seen, 'selectBatch');
        await running.signal(RUN_SIGNALS.continue);
        await running.signal(RUN_SIGNALS.stop, { by: 'ui' });
        await called(seen, 'recordRequest');
        held.open();
      },
    });
    expect(inputsOf(calls, 'recordRequest')).toMatchObject([
      { kind: 'stop', by: 'ui', via: 'signal', to: 'stopping' },
    ]);
    expect(inputsOf(calls, 'exportPolicy')).toMatchObject([{ stopped: true }]);
  });

  it('end a pause in the records, too, where the stop that ended it is taken back', async () => {
    const held = heldFirstStep();
    const { calls, result } = await harness.runToEnd({
      overrides: held.overrides,
      during: async (running, seen) => {
        const epoch = harness.server.client.workflow.getHandle(`${running.workflowId}/epoch-1`);
        await called(seen, 'selectBatch');
        // To the epoch alone: when its result reaches the run, the run has taken both back.
        await epoch.signal('control', { paused: true, stopping: false, revision: 1 });
        held.open();
        await called(seen, 'recordOutcome');
        await epoch.signal('control', { paused: true, stopping: true, revision: 2 });
      },
    });
    expect(inputsOf(calls, 'recordOutcome')).toMatchObject([
      { state: 'paused', reason: 'paused after step 1' },
      { state: 'running', reason: '' },
    ]);
    expect(inputsOf(calls, 'gradientStep')).toHaveLength(4);
    expect(result.status).toBe('fulfilled');
  });

  it('are recorded in their order, each with what it changed, however close together they come', async () => {
    const held = heldFirstStep();
    const recorded: unknown[][] = [];
    const kinds = ['pause', 'continue', 'pause', 'stop', 'continue'] as const;
    const { result } = await harness.runToEnd({
      overrides: {
        ...held.overrides,
        recordRequest: async ({ kind, from, to }) => {
          // What comes first takes longest.
          await new Promise((resolve) => setTimeout(resolve, 500 - 100 * recorded.length));
          recorded.push([kind, from, to]);
          return { step: 0 };
        },
      },
      during: async (running, seen) => {
        await called(seen, 'selectBatch');
        for (const kind of kinds) await running.signal(RUN_SIGNALS[kind]);
        await expect.poll(() => recorded.length, { timeout: 30_000 }).toBe(kinds.length);
        held.open();
      },
    });
    expect(recorded).toEqual([
      ['pause', 'running', 'paused'],
      ['continue', 'paused', 'running'],
      ['pause', 'running', 'paused'],
      ['stop', 'paused', 'stopping'],
      ['continue', 'stopping', 'running'],
    ]);
    expect(result.status).toBe('fulfilled');
  });

  it('cancel within seconds in the middle of a rollout, recorded', async () => {
    let asked = 0;
    const { calls, result } = await harness.runToEnd({
      overrides: {
        rollout: untilCancelled,
      },
      during: async (running, seen) => {
        await called(seen, 'rollout');
        asked = Date.now();
        expect(await ask(running, 'cancel', { by: 'ada' })).toMatchObject({ request: 'cancel' });
      },
    });
    expect(Date.now() - asked).toBeLessThan(30_000);
    expect(inputsOf(calls, 'recordRequest')).toMatchObject([{ kind: 'cancel', by: 'ada' }]);
    expect(inputsOf(calls, 'recordOutcome')).toMatchObject([{ state: 'stopped' }]);
    const error = result.status === 'rejected' ? result.reason : undefined;
    expect(error.cause).toMatchObject({ type: 'Stopped' });
    expect(error.cause.message).toContain('cancelled');
  });
});
