import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, rootCause } from '@temporalio/common';
import { ERROR_CODES, ToolsampleError } from '../contracts/errors.ts';
import type { RunStatus } from '../contracts/run-status.ts';
import { STOPPED } from '../contracts/temporal.ts';

/** How a run stands at its end. */
export interface EndedRun extends RunStatus {
  /** What a failed run failed of, with its kind; absent for any other end. */
  readonly failure?: ToolsampleError;
}

export interface WaitOptions {
  /** Called with every status that differs from the one before. */
  readonly onStatus?: (status: RunStatus) => void;
  /** Gives up waiting; the run goes on. */
  readonly signal?: AbortSignal;
  /** Default 500. */
  readonly intervalMs?: number;
}

/**
 * Polls Postgres for a run's status, and Temporal for the workflow's end; either may be away for a while.
 *
 * @throws ToolsampleError when the run failed before it was recorded
 */
export async function waitForEnd(
  handle: WorkflowHandle,
  status: () => Promise<RunStatus | null>,
  { onStatus, signal, intervalMs = 500 }: WaitOptions,
): Promise<EndedRun> {
  let end: WorkflowEnd | undefined;
  const watching = new AbortController();
  const watch = async (): Promise<void> => {
    while (end === undefined && !watching.signal.aborted) {
      end = await endOf(handle);
      // Temporal is away: it comes back, or the status in Postgres tells the end.
      if (end === undefined) await sleep(intervalMs);
    }
  };
  void watch();
  let last: RunStatus | null = null;
  try {
    for (;;) {
      // Read before the status: what the workflow wrote last must be seen.
      const ended = end;
      const now = await status();
      if (now !== null && !isDeepStrictEqual(now, last)) onStatus?.(now);
      last = now;
      if (ended !== undefined) return finalStatus(handle.workflowId, ended, now);
      await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
    }
  } finally {
    watching.abort();
  }
}

type WorkflowEnd =
  | { readonly kind: 'completed' | 'cancelled' | 'stopped' | 'gone' }
  | { readonly kind: 'failed'; readonly error: ToolsampleError };

/** How a workflow ended; undefined when the server does not answer. */
async function endOf(handle: WorkflowHandle): Promise<WorkflowEnd | undefined> {
  try {
    await handle.result();
    return { kind: 'completed' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { kind: 'gone' };
    if (!(error instanceof WorkflowFailedError)) return undefined;
    const { cause } = error;
    if (!(cause instanceof ApplicationFailure)) {
      // Cancelled, or terminated by hand.
      return { kind: 'cancelled' };
    }
    if (cause.type === STOPPED) return { kind: 'stopped' };
    const code = ERROR_CODES.find((known) => known === cause.type) ?? 'service';
    return { kind: 'failed', error: new ToolsampleError(code, rootCause(cause) ?? cause.message) };
  }
}

/**
 * Where Postgres has not heard of the end (it was away, or the run never came to be), Temporal's word counts; also where it tells of an
 * earlier end: what ended now did not get so far as to go on with the run.
 */
function finalStatus(run: string, end: WorkflowEnd, status: RunStatus | null): EndedRun {
  if (status === null) {
    if (end.kind === 'failed') throw end.error;
    throw new ToolsampleError('not-found', `run "${run}" ended (${end.kind}) before it began`);
  }
  const ended = status.state === 'failed' || status.state === 'stopped';
  if (status.state === 'completed' || (end.kind === 'gone' && ended)) return status;
  // What has ended waits for no worker.
  const known = { ...status, withoutWorker: false };
  if (end.kind === 'failed')
    return { ...known, state: 'failed', reason: end.error.message, failure: end.error };
  const reason = status.state === 'failed' ? null : status.reason;
  return { ...known, state: end.kind === 'completed' ? 'completed' : 'stopped', reason };
}
