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

/** An activity that ended well, as its workflow's history has it. */
export interface CompletedActivity {
  readonly name: string;
  /** Seconds since the epoch, by Temporal's clock. */
  readonly at: number;
  /** 1 where the first attempt ended it. */
  readonly attempt: number;
  /** The identity of who did it. */
  readonly worker: string;
}

/** What a workflow has completed, in order. */
export async function completedActivities(
  address: string,
  workflowId: string,
): Promise<CompletedActivity[]> {
  const connection = await Connection.connect({ address });
  try {
    const { workflow } = new Client({ connection });
    const { events } = await workflow.getHandle(workflowId).fetchHistory();
    const names = new Map<string, string>();
    const attempts = new Map<string, number>();
    const done: CompletedActivity[] = [];
    for (const event of events ?? []) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      if (scheduled) names.set(String(event.eventId), scheduled.activityType?.name ?? '');
      const started = event.activityTaskStartedEventAttributes;
      if (started) attempts.set(String(started.scheduledEventId), started.attempt ?? 1);
      const completed = event.activityTaskCompletedEventAttributes;
      if (!completed) continue;
      const id = String(completed.scheduledEventId);
      done.push({
        name: names.get(id) ?? '',
        at: Number(event.eventTime?.seconds ?? 0) + (event.eventTime?.nanos ?? 0) / 1e9,
        attempt: attempts.get(id) ?? 1,
        worker: completed.identity ?? '',
      });
    }
    return done;
  } finally {
    await connection.close();
  }
}

/** Names of the activities of a workflow that came to their end by more than one attempt. */
export async function retriedActivities(
  { services }: ToolsampleClient,
  workflowId: string,
): Promise<Set<string>> {
  const done = await completedActivities(services.temporal.address, workflowId);
  return new Set(done.filter(({ attempt }) => attempt > 1).map(({ name }) => name));
}
