import { Client, Connection, type WorkflowExecutionDescription } from '@temporalio/client';
import type { AcceleratorActivities } from '../../contracts/activities.ts';

/** temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED */
const STARTED = 2;
const PATIENCE_MS = 1_000;
/** By default a client whose server has died a few times looks for it every 10 to 120 s only, and sees too late who computes again. */
const PROMPT_RECONNECTION = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 200,
} as const;

/** An activity as the server tells of it while it is not done. */
export type PendingActivity = NonNullable<
  WorkflowExecutionDescription['raw']['pendingActivities']
>[number];

/** Whether a worker has it in hand, as far as the server knows. */
export function isUnderWay({ state }: PendingActivity): boolean {
  return Number(state) === STARTED;
}

const COMPUTING = [
  'warmStart',
  'rollout',
  'gradientShard',
  'gradientStep',
  'evaluateShard',
  'evaluatePolicy',
  'exportPolicy',
] as const satisfies readonly (keyof AcceleratorActivities)[];

/** An attempt of an activity in which the policy engine computes. */
export interface EngineAttempt {
  readonly activity: (typeof COMPUTING)[number];
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** Asks a Temporal server, which may be gone. */
export interface EngineAttempts {
  /** What is under way for the run or an epoch of it; null when nothing is, or nobody answers. */
  underWay(): Promise<EngineAttempt | null>;
  close(): Promise<void>;
}

export function engineAttempts(address: string, run: string): EngineAttempts {
  const connection = Connection.lazy({ address, channelArgs: PROMPT_RECONNECTION });
  const { workflow } = new Client({ connection });

  const inWorkflow = async (workflowId: string): Promise<EngineAttempt | null> => {
    const { raw } = await connection.withDeadline(Date.now() + PATIENCE_MS, async () =>
      workflow.getHandle(workflowId).describe(),
    );
    for (const pending of raw.pendingActivities ?? []) {
      const activity = COMPUTING.find((name) => name === pending.activityType?.name);
      if (activity === undefined || !isUnderWay(pending)) continue;
      const { seconds, nanos } = pending.lastStartedTime ?? {};
      return { activity, startedAt: Number(seconds ?? 0) * 1000 + (nanos ?? 0) / 1e6 };
    }
    for (const { workflowId: child } of raw.pendingChildren ?? []) {
      const found = child == null ? null : await inWorkflow(child);
      if (found !== null) return found;
    }
    return null;
  };
  return {
    underWay: async () => inWorkflow(run).catch(() => null),
    close: async () => connection.close(),
  };
}
