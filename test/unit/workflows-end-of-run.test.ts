import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
} from '@temporalio/common';
import { expect, it } from 'vitest';
import { endOfRun } from '../../workflows/end-of-run.ts';

const ofActivity = (cause: Error): ActivityFailure =>
  new ActivityFailure(
    'Activity task failed',
    'prepareRun',
    '1',
    'NON_RETRYABLE_FAILURE',
    '',
    cause,
  );

it('tells a failure by its innermost line alone, not by the activity that met it', () => {
  const cause = ApplicationFailure.nonRetryable('x.json: is of no known format\nat …', 'dataset');
  const child = new ChildWorkflowFailure(
    'default',
    { workflowId: 'r1/epoch-1', runId: '' },
    'trainingEpoch',
    'NON_RETRYABLE_FAILURE',
    ofActivity(cause),
  );
  for (const error of [ofActivity(cause), child])
    expect(endOfRun(error, null)).toMatchObject({
      state: 'failed',
      reason: 'x.json: is of no known format',
      failure: { message: 'x.json: is of no known format', type: 'dataset' },
    });
});

it('tells of a worker that died each time where to look', () => {
  const timeout = new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT');
  expect(endOfRun(ofActivity(timeout), null).reason).toBe(
    "activity Heartbeat timeout — its worker died or hung each time; see the worker's log",
  );
});
