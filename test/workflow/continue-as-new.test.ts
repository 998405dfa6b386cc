import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RUN_SIGNALS } from '../../contracts/temporal.ts';
import { SHORT_HISTORIES, createHarness, type Harness } from './harness.ts';
import { SMALL_PLAN, type RecordedCall } from './stand-in-activities.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await createHarness(SHORT_HISTORIES);
});
afterAll(async () => {
  await harness.server.stop();
});

/** One number of the keys of an activity's calls, in their order. */
function numbersOf(
  calls: readonly RecordedCall[],
  activity: string,
  field: 'slice' | 'step',
): unknown[] {
  return calls.flatMap((call) =>
    call.activity === activity && field in call.input
      ? [(call.input as { readonly [key: string]: unknown })[field]]
      : [],
  );
}

/** The slices that each execution of a run has made, first execution first. */
async function slicesOfExecutions(workflowId: string): Promise<number[]> {
  const slices: number[] = [];
  for (let runId: string | undefined; runId !== '';) {
    const handle = harness.server.client.workflow.getHandle(workflowId, runId);
    const events = (await handle.fetchHistory()).events ?? [];
    const made = events.filter(
      ({ activityTaskScheduledEventAttributes: scheduled }) =>
        scheduled?.activityType?.name === 'warmStart',
    );
    slices.unshift(made.length);
    runId = events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? '';
  }
  return slices;
}

// A busy machine takes ten times as long.
describe('a run whose histories grow long', { timeout: 180_000 }, () => {
  it('continues as new in the middle of an epoch and between epochs, and loses nothing', async () => {
    const { calls, handle, result } = await harness.runToEnd({
      plan: { ...SMALL_PLAN, searchAttributes: true },
      args: [{ maxSteps: 4 }],
      during: async (started) => {
        // Survives continue-as-new too: a pause that is taken back at once.
        await started.signal(RUN_SIGNALS.pause);
        await started.signal(RUN_SIGNALS.continue);
      },
    });
    expect(result).toMatchObject({
      status: 'fulfilled',
      value: { steps: 4, evaluations: [0, 0, 2, 4, 4].map((step) => ({ step })) },
    });
    expect(numbersOf(calls, 'gradientStep', 'step')).toEqual([1, 2, 3, 4]);
    expect(calls.filter(({ activity }) => activity === 'prepareRun')).toHaveLength(1);
    expect(calls.filter(({ activity }) => activity === 'warmStart')).toHaveLength(2);

    expect((await slicesOfExecutions(handle.workflowId)).length).toBeGreaterThan(1);
    const child = harness.server.client.workflow.getHandle(`${handle.workflowId}/epoch-2`);
    const childResult = await child.result();
    expect(childResult.steps.map((row: { step: number }) => row.step)).toEqual([3, 4]);
    const first = (await child.fetchHistory()).events?.[0];
    expect(
      first?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId?.length,
    ).toBeGreaterThan(0);
    expect((await child.describe()).searchAttributes).toMatchObject({ ToolsampleReward: [1.4] });
  });

  it('continues as new between slices of the warm start, and makes each of them once', async () => {
    const warmStartSlices = 12;
    const { calls, handle, result } = await harness.runToEnd({
      plan: { ...SMALL_PLAN, warmStartSlices },
    });
    expect(result).toMatchObject({
      status: 'fulfilled',
      value: { steps: 4, evaluations: [0, 0, 2, 4, 4].map((step) => ({ step })) },
    });
    // What a run with a history that never ends calls until its first step.
    const before = calls.slice(
      0,
      calls.findIndex(({ activity }) => activity === 'selectBatch'),
    );
    expect(before.map(({ activity }) => activity)).toEqual([
      'prepareRun',
      ...Array.from({ length: warmStartSlices }, () => 'warmStart'),
      'evaluatePolicy',
      'evaluatePolicy',
    ]);
    expect(numbersOf(calls, 'warmStart', 'slice')).toEqual(
      Array.from({ length: warmStartSlices }, (_, i) => i + 1),
    );
    expect(numbersOf(calls, 'evaluatePolicy', 'step')).toEqual([0, 0, 2, 4, 4]);
    const slices = (await slicesOfExecutions(handle.workflowId)).filter((made) => made > 0);
    expect(slices.length).toBeGreaterThan(2);
    expect(Math.max(...slices)).toBeLessThan(warmStartSlices / 2);
  });

  it('begins behind the slices that are committed when it is resumed', async () => {
    const { calls } = await harness.runToEnd({
      plan: { ...SMALL_PLAN, warmStartSlices: 1000, committedSlices: 995 },
    });
    expect(numbersOf(calls, 'warmStart', 'slice')).toEqual([996, 997, 998, 999, 1000]);
    const { calls: later } = await harness.runToEnd({
      plan: { ...SMALL_PLAN, warmStartSlices: 1000, committedSlices: 1000, committedStep: 3 },
    });
    expect(numbersOf(later, 'warmStart', 'slice')).toEqual([]);
    expect(numbersOf(later, 'evaluatePolicy', 'step')).toEqual([0, 0, 4, 4]);
    expect(numbersOf(later, 'gradientStep', 'step')).toEqual([4]);
  });
});
