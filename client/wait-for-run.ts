import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { WorkflowHandle } from '@temporalio/client';
import { ToolsampleError } from '../contracts/errors.ts';
import type { RunStatus } from '../contracts/run-status.ts';
import { workflowEnd, type WorkflowEnd } from './workflow-end.ts';

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
 * @throws ToolsampleError when the run failed before it was recorded, or Temporal refuses to tell
 */
export async function waitForEnd(
  handle: WorkflowHandle,
  status: () => Promise<RunStatus | null>,
  { onStatus, signal, intervalMs = 500 }: WaitOptions,
): Promise<EndedRun> {
  let heard: PromiseSettledResult<WorkflowEnd> | undefined;
  const watching = new AbortController();
  void Promise.allSettled([workflowEnd(handle, { signal: watching.signal, intervalMs })]).then(
    ([settled]) => {
      heard = settled;
    },
  );
  let last: RunStatus | null = null;
  try {
    for (;;) {
      // Read before the status: what the workflow wrote last must be seen.
      const ended = heard;
      const now = await status();
      if (now !== null && !isDeepStrictEqual(now, last)) onStatus?.(now);
      last = now;
      if (ended?.status === 'rejected') throw ended.reason;
      if (ended !== undefined) return finalStatus(handle.workflowId, ended.value, now);
      await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
    }
  } finally {
    watching.abort();
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
