import {
  ActivityCancellationType,
  proxyActivities,
  workflowInfo,
  type ActivityInterfaceFor,
} from '@temporalio/workflow';
import type { ActivityOptions, RetryPolicy } from '@temporalio/common';
import type { AcceleratorActivities, LightActivities } from '../contracts/activities.ts';
import { acceleratorQueue } from '../contracts/temporal.ts';

const RETRY: RetryPolicy = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  // What died several times in a row goes on as soon as what died once.
  maximumInterval: '4s',
  // Two and a half minutes of patience with a restarting service; what cannot heal fails at once, by its type.
  maximumAttempts: 40,
};

const COMMON: ActivityOptions = {
  retry: RETRY,
  // The function has really ended when the workflow goes on: nothing writes behind its back.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** Proxies of the light activities, on the workflow's own task queue. */
export function lightActivities(): ActivityInterfaceFor<LightActivities> {
  return proxyActivities<LightActivities>({
    ...COMMON,
    startToCloseTimeout: '2 hours',
    heartbeatTimeout: '15s',
  });
}

/** Proxies of the policy engine's activities, on the accelerator's task queue. */
export function acceleratorActivities(): ActivityInterfaceFor<AcceleratorActivities> {
  return proxyActivities<AcceleratorActivities>({
    ...COMMON,
    taskQueue: acceleratorQueue(workflowInfo().taskQueue),
    // A dead worker shows by its silence; how long honest work takes is nobody's guess.
    startToCloseTimeout: '24 hours',
    heartbeatTimeout: '10s',
  });
}
