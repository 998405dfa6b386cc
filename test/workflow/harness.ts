import type { WorkflowHandle, WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { DefaultLogger, Worker, bundleWorkflowCode, type WorkflowBundle } from '@temporalio/worker';
import type { RunPlan } from '../../contracts/activities.ts';
import { TRAINING_RUN, acceleratorQueue } from '../../contracts/temporal.ts';
import {
  SMALL_PLAN,
  standInActivities,
  type AnyActivities,
  type RecordedCall,
} from './stand-in-activities.ts';
import { cacheFolders } from '../../services/user-cache.ts';
import { OWN_WORKFLOWS, workflowBundle } from '../../services/workflow-bundle.ts';
import { startTemporalServer, type TestServer } from './temporal-server.ts';

/** The workflows of another state of the code, bundled without chatter. */
export async function bundleWorkflows(workflowsPath: string): Promise<WorkflowBundle> {
  return bundleWorkflowCode({
    workflowsPath,
    logger: new DefaultLogger('ERROR'),
  });
}

/** This checkout's workflows as its workers load them. */
export async function ownWorkflows(): Promise<WorkflowBundle> {
  return workflowBundle(cacheFolders(null, process.env), OWN_WORKFLOWS);
}

export interface StandInRun {
  readonly plan?: RunPlan;
  readonly overrides?: Partial<AnyActivities>;
  /** Default: `trainingRun`. */
  readonly workflowType?: string;
  readonly args?: unknown[];
  /** What happens while the run is under way. */
  readonly during?: (handle: WorkflowHandle, calls: readonly RecordedCall[]) => Promise<void>;
}

export interface Outcome {
  readonly calls: RecordedCall[];
  readonly handle: WorkflowHandleWithFirstExecutionRunId;
  readonly result: PromiseSettledResult<unknown>;
}

export interface Harness {
  readonly server: TestServer;
  /** Runs one workflow to its end, with stand-in activities, on two workers and a task queue of its own. */
  runToEnd(options?: StandInRun): Promise<Outcome>;
}

/** Arguments of a server that suggests to continue as new after so few events that one step is enough. */
export const SHORT_HISTORIES = [
  '--dynamic-config-value',
  'limit.historyCount.suggestContinueAsNew=20',
] as const;

/** A real server and the bundled workflows, shared by the tests of one file. */
export async function createHarness(serverArguments: readonly string[] = []): Promise<Harness> {
  const [server, workflowBundle] = await Promise.all([
    startTemporalServer(serverArguments),
    ownWorkflows(),
  ]);
  let runs = 0;
  return {
    server,
    async runToEnd(options = {}) {
      const workflowId = `run-${++runs}`;
      const taskQueue = `queue-${runs}`;
      const { activities, calls } = standInActivities(
        options.plan ?? SMALL_PLAN,
        options.overrides,
      );
      const common = { connection: server.nativeConnection, activities, identity: 'worker' };
      const light = await Worker.create({ ...common, taskQueue, workflowBundle });
      const accelerator = await Worker.create({
        ...common,
        taskQueue: acceleratorQueue(taskQueue),
        maxConcurrentActivityTaskExecutions: 1,
      });
      return accelerator.runUntil(
        light.runUntil(async () => {
          const handle = await server.client.workflow.start(options.workflowType ?? TRAINING_RUN, {
            taskQueue,
            workflowId,
            args: options.args ?? [{}],
          });
          await options.during?.(handle, calls);
          const [result] = await Promise.allSettled([handle.result()]);
          return { calls, handle, result };
        }),
      );
    },
  };
}
