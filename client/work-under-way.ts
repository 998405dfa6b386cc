import type { WorkflowClient } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { EngineProgress } from '../contracts/policy.ts';
import type { WorkUnderWay } from '../contracts/temporal.ts';

/** What the policy engine does for a workflow now, from the activity's last heartbeat; null when it does nothing, or too shortly. */
export async function workUnderWay(
  workflow: WorkflowClient,
  workflowId: string,
): Promise<WorkUnderWay | null> {
  const { raw } = await workflow.getHandle(workflowId).describe();
  for (const { activityType, heartbeatDetails } of raw.pendingActivities ?? []) {
    const [payload] = heartbeatDetails?.payloads ?? [];
    const details = payload == null ? null : defaultPayloadConverter.fromPayload<unknown>(payload);
    const activity = activityType?.name;
    if (activity != null && isProgress(details)) {
      const { done, total, unit } = details;
      return { done, total, unit, activity };
    }
  }
  return null;
}

function isProgress(details: unknown): details is EngineProgress {
  const { done, total, unit } = (details ?? {}) as { readonly [key: string]: unknown };
  return typeof done === 'number' && typeof total === 'number' && typeof unit === 'string';
}
