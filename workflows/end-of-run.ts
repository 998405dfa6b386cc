import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
  isCancellation,
} from '@temporalio/workflow';
import { ApplicationFailureCategory } from '@temporalio/common';
import { STOPPED } from '../contracts/temporal.ts';

/** How a run that did not complete is recorded, and how its workflow has to end. */
export interface EndOfRun {
  readonly state: 'failed' | 'stopped';
  /** One line. */
  readonly reason: string;
  readonly failure: Error;
}

/** The end that the user asked for with `stop`. Benign: it is no error, but leaves the run open to be started again. */
export function stoppedAfter(step: number): ApplicationFailure {
  return stopped(`stopped as asked, after step ${step}; start the run again to go on`);
}

function stopped(message: string): ApplicationFailure {
  return ApplicationFailure.create({
    message,
    type: STOPPED,
    nonRetryable: true,
    category: ApplicationFailureCategory.BENIGN,
  });
}

/**
 * Takes whatever ended a run apart: a stop, a cancellation, or a failure with the one line that explains it.
 *
 * @param cancelled - By Temporal's own request, by our update, or not at all. Temporal shows as cancelled only the first.
 */
export function endOfRun(error: unknown, cancelled: 'server' | 'update' | null): EndOfRun {
  const reason = 'cancelled; start the run again to go on';
  if (cancelled === 'update') return { state: 'stopped', reason, failure: stopped(reason) };
  if (cancelled === 'server' || isCancellation(error)) {
    const failure = error instanceof Error ? error : new Error(String(error));
    return { state: 'stopped', reason, failure };
  }
  if (error instanceof ApplicationFailure && error.type === STOPPED) {
    return { state: 'stopped', reason: error.message, failure: error };
  }
  const { reason: cause, type } = explain(error);
  return {
    state: 'failed',
    reason: cause,
    failure: ApplicationFailure.nonRetryable(cause, type),
  };
}

/** Follows the causes down through child and activity to the innermost message: what its activity is called means nothing to a user. */
function explain(error: unknown): { reason: string; type: string } {
  let current = error;
  while (
    (current instanceof ChildWorkflowFailure || current instanceof ActivityFailure) &&
    current.cause !== undefined
  ) {
    current = current.cause;
  }
  const message = current instanceof Error ? current.message : String(current);
  const line = message.split('\n', 1)[0] ?? '';
  if (current instanceof TimeoutFailure) {
    return {
      reason: `${line} — its worker died or hung each time; see the worker's log`,
      type: 'Timeout',
    };
  }
  const type = current instanceof ApplicationFailure ? (current.type ?? 'Error') : 'Error';
  return { reason: line, type };
}
