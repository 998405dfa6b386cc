import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import { rootCause } from '@temporalio/common';
import { ERROR_CODES, ToolsampleError } from '../contracts/errors.ts';
import { requireType, type NamedWorkflow } from './workflow-ids.ts';

/** Waits for a workflow's end. @throws ToolsampleError when it failed or was cancelled */
export async function workflowEnded(handle: WorkflowHandle): Promise<void> {
  try {
    await handle.result();
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

/** Asks a workflow to end now; one that has ended is left alone. @throws ToolsampleError `config` when it is of another type */
export async function cancelWorkflow(type: NamedWorkflow, handle: WorkflowHandle): Promise<void> {
  await requireType(type, handle);
  try {
    await handle.cancel();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
