import { setTimeout as sleep } from 'node:timers/promises';
import {
  isGrpcDeadlineError,
  isGrpcServiceError,
  isRetryableError,
  ServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import { rootCause } from '@temporalio/common';
import { ERROR_CODES, ToolsampleError } from '../contracts/errors.ts';
import { requireType, type NamedWorkflow } from './workflow-ids.ts';

/** Between two questions to a server that is away. */
const AGAIN_MILLISECONDS = 1000;

/**
 * Waits for a workflow's end, also over times in which Temporal is away: a machine that slept, a server that starts again.
 * @throws ToolsampleError when it failed or was cancelled
 */
export async function workflowEnded(handle: WorkflowHandle): Promise<void> {
  try {
    await endOnceHeard(handle);
  } catch (error) {
    // One whose server forgot it has ended, too.
    if (error instanceof WorkflowNotFoundError) return;
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    const type = cause !== undefined && 'type' in cause ? cause.type : undefined;
    const code = ERROR_CODES.find((known) => known === type) ?? 'service';
    throw new ToolsampleError(code, rootCause(cause) ?? `${handle.workflowId} did not complete`);
  }
}

async function endOnceHeard(handle: WorkflowHandle): Promise<void> {
  for (;;) {
    try {
      await handle.result();
      return;
    } catch (error) {
      if (!isAway(error)) throw error;
      await sleep(AGAIN_MILLISECONDS);
    }
  }
}

/** Whether the same question may be answered later. */
function isAway(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return false;
  const { cause } = error;
  return isGrpcDeadlineError(cause) || (isGrpcServiceError(cause) && isRetryableError(cause));
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
