import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ToolsampleClient } from '../../client.ts';
import { isUnderWay, type PendingActivity } from './engine-attempts.ts';

const PATIENCE_MS = 4 * 60_000;
const LOOK_EVERY_MS = 20;

/** Waits until a worker (any, or the one of this process id) is in the middle of an activity: it was started, and has not ended. */
export async function inTheMiddleOf(
  toolsample: ToolsampleClient,
  workflowId: string,
  activity: string,
  pid?: number,
): Promise<void> {
  await untilPending(
    toolsample,
    workflowId,
    (pending) =>
      pending.activityType?.name === activity &&
      isUnderWay(pending) &&
      (pid === undefined || pending.lastWorkerIdentity?.startsWith(`${pid}@`) === true),
  );
}

/** Waits until an attempt of an activity has failed in this way, and another one is to come. */
export async function untilAttemptFailed(
  toolsample: ToolsampleClient,
  workflowId: string,
  wanted: { readonly activity: string; readonly type: string },
): Promise<void> {
  await untilPending(
    toolsample,
    workflowId,
    ({ activityType, lastFailure }) =>
      activityType?.name === wanted.activity &&
      lastFailure?.applicationFailureInfo?.type === wanted.type,
  );
}

/** Waits until a workflow, which need not have begun, has such an activity. */
async function untilPending(
  { services }: ToolsampleClient,
  workflowId: string,
  isWanted: (pending: PendingActivity) => boolean,
): Promise<void> {
  const connection = await Connection.connect({ address: services.temporal.address });
  try {
    const handle = new Client({ connection }).workflow.getHandle(workflowId);
    for (const until = Date.now() + PATIENCE_MS; ;) {
      const { raw } = await handle.describe().catch((error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return { raw: null };
        throw error;
      });
      if ((raw?.pendingActivities ?? []).some(isWanted)) return;
      if (Date.now() > until) throw new Error(`${workflowId} did not come to what was waited for`);
      await sleep(LOOK_EVERY_MS);
    }
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
