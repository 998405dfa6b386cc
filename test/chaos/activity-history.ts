import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { vi } from 'vitest';
import type { ToolsampleClient } from '../../client.ts';

/** temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED */
const STARTED = 2;
const PATIENCE_MS = 4 * 60_000;

/** Waits until a worker is in the middle of an activity: it was started, and has not ended. */
export async function inTheMiddleOf(
  { services }: ToolsampleClient,
  workflowId: string,
  activity: string,
): Promise<void> {
  const connection = await Connection.connect({ address: services.temporal.address });
  try {
    const handle = new Client({ connection }).workflow.getHandle(workflowId);
    await vi.waitUntil(
      async () => {
        const { raw } = await handle.describe().catch((error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return { raw: null };
          throw error;
        });
        return (raw?.pendingActivities ?? []).some(
          ({ activityType, state }) => activityType?.name === activity && Number(state) === STARTED,
        );
      },
      { timeout: PATIENCE_MS, interval: 20 },
    );
  } finally {
    await connection.close();
  }
}

/** Names of the activities of a workflow that were tried again, from its history. */
export async function retriedActivities(
  { services }: ToolsampleClient,
  workflowId: string,
): Promise<Set<string>> {
  const connection = await Connection.connect({ address: services.temporal.address });
  try {
    const { events } = await new Client({ connection }).workflow
      .getHandle(workflowId)
      .fetchHistory();
    const names = new Map(
      (events ?? []).map(({ eventId, activityTaskScheduledEventAttributes: scheduled }) => [
        String(eventId),
        scheduled?.activityType?.name ?? '',
      ]),
    );
    return new Set(
      (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) =>
        (started?.attempt ?? 1) > 1 ? [names.get(String(started?.scheduledEventId)) ?? ''] : [],
      ),
    );
  } finally {
    await connection.close();
  }
}

/** Waits until an attempt of an activity has failed in this way, and another one is to come. */
export async function untilAttemptFailed(
  { services }: ToolsampleClient,
  workflowId: string,
  wanted: { readonly activity: string; readonly type: string },
): Promise<void> {
  const connection = await Connection.connect({ address: services.temporal.address });
  try {
    const handle = new Client({ connection }).workflow.getHandle(workflowId);
    await vi.waitUntil(
      async () => {
        const { raw } = await handle.describe();
        return (raw.pendingActivities ?? []).some(
          ({ activityType, lastFailure }) =>
            activityType?.name === wanted.activity &&
            lastFailure?.applicationFailureInfo?.type === wanted.type,
        );
      },
      { timeout: PATIENCE_MS, interval: 50 },
    );
  } finally {
    await connection.close();
  }
}
