import { setTimeout as sleep } from 'node:timers/promises';
import {
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  isRetryableError,
  ServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  rootCause,
  TerminatedFailure,
} from '@temporalio/common';
import { ERROR_CODES, ToolsampleError } from '../contracts/errors.ts';
import { STOPPED } from '../contracts/temporal.ts';
import { errorMessage } from '../services/process.ts';
import { requireType, type NamedWorkflow } from './workflow-ids.ts';

/** How a workflow ended: `stopped` when it was asked to, `cancelled` also when it was terminated, `gone` when its server forgot it. */
export type WorkflowEnd =
  | { readonly kind: 'completed' | 'cancelled' | 'stopped' | 'gone' }
  | { readonly kind: 'failed'; readonly error: ToolsampleError };

export interface WaitForWorkflowOptions {
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
  /** Between two questions to a server that is away. Default 1,000. */
  readonly intervalMs?: number;
}

/**
 * Waits for a workflow's end, also over times in which Temporal is away: a machine that slept, a server that starts again.
 * @throws ToolsampleError `service` when the server refuses to tell; AbortError when it is given up
 */
export async function workflowEnd(
  handle: WorkflowHandle,
  { signal, intervalMs = 1000 }: WaitForWorkflowOptions = {},
): Promise<WorkflowEnd> {
  for (;;) {
    try {
      await handle.result();
      return { kind: 'completed' };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return { kind: 'gone' };
      if (error instanceof WorkflowFailedError) return endOf(handle, error);
      if (!isAway(error)) throw refusal(handle, error);
    }
    await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
  }
}

/** Waits in the same way. @throws ToolsampleError when it did not complete; one whose server forgot it has ended, too */
export async function workflowEnded(handle: WorkflowHandle): Promise<void> {
  const end = await workflowEnd(handle);
  if (end.kind === 'failed') throw end.error;
  if (end.kind === 'completed' || end.kind === 'gone') return;
  throw new ToolsampleError('service', `${handle.workflowId} was ${end.kind}`);
}

function endOf({ workflowId }: WorkflowHandle, { cause }: WorkflowFailedError): WorkflowEnd {
  if (cause instanceof CancelledFailure || cause instanceof TerminatedFailure)
    return { kind: 'cancelled' };
  const type = cause instanceof ApplicationFailure ? cause.type : undefined;
  if (type === STOPPED) return { kind: 'stopped' };
  const code = ERROR_CODES.find((known) => known === type) ?? 'service';
  const reason = rootCause(cause) ?? `${workflowId} did not complete`;
  return { kind: 'failed', error: new ToolsampleError(code, reason) };
}

function refusal({ workflowId }: WorkflowHandle, error: unknown): ToolsampleError {
  const cause = error instanceof ServiceError && error.cause !== undefined ? error.cause : error;
  const said = errorMessage(cause);
  return new ToolsampleError(
    'service',
    `Temporal does not tell how "${workflowId}" ends: ${said}`,
    {
      hint: 'check TEMPORAL_NAMESPACE and TEMPORAL_API_KEY, then ask again: the work goes on',
      cause: error,
    },
  );
}

/** Whether the same question may be answered later. A server that shuts down cancels what it was asked. */
function isAway(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return false;
  const { cause } = error;
  if (isGrpcDeadlineError(cause) || isGrpcCancelledError(cause)) return true;
  return isGrpcServiceError(cause) && isRetryableError(cause);
}

/** Asks a workflow to end now; one that has ended is left alone. @throws ToolsampleError `config` when it is of another type */
export async function cancelWorkflow(type: NamedWorkflow, handle: WorkflowHandle): Promise<void> {
  await requireType(type, handle);
  try {
    await handle.cancel();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
