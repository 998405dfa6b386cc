import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { acceleratorActivities, lightActivities } from './activities/create-activities.ts';
import type { ActivityDependencies } from './activities/dependencies.ts';
import { policyEngines } from './activities/policy-engines.ts';
import type { ArtifactStore } from './contracts/artifacts.ts';
import { ToolsampleError } from './contracts/errors.ts';
import type { PolicyText } from './contracts/policy.ts';
import { acceleratorQueue } from './contracts/temporal.ts';
import { claimStore } from './db/artifact-store.ts';
import { connect, type Database } from './db/connection.ts';
import { migrateDatabase } from './db/migrate.ts';
import { WORKER_PRESENCE } from './db/presence.ts';
import { loadPolicyText } from './policy/text/policy-text.ts';
import { startRunGauges } from './metrics/run-gauges.ts';
import { openArtifactStore } from './services/artifact-store.ts';
import { homePath } from './services/data-folder.ts';
import { ensureServices, type Services } from './services/services.ts';
import { cacheFolders } from './services/user-cache.ts';
import { OWN_WORKFLOWS, workflowBundle } from './services/workflow-bundle.ts';
import {
  openWorkerLog,
  temporalLogger,
  type WorkerLogOptions,
} from './services/temporal/worker-log.ts';

export const WORKER_QUEUES = ['light', 'gpu'] as const;
/** `light`: workflows, Postgres and arithmetic. `gpu`: the policy engine, one activity at a time. */
export type WorkerQueue = (typeof WORKER_QUEUES)[number];

export interface RunWorkerOptions {
  /** The data folder; default: `TOOLSAMPLE_HOME`, else `.toolsample`. */
  readonly home?: string | undefined;
  /** Queues to serve; default both, in this one process. */
  readonly queues?: readonly WorkerQueue[];
  readonly log?: WorkerLogOptions;
  /** `IP:PORT` on which Prometheus finds metrics of the worker and, with the queue `light`, of the runs; default: nowhere. */
  readonly metrics?: string | undefined;
  /** Ends the worker gracefully, as SIGINT and SIGTERM do. */
  readonly signal?: AbortSignal;
  /** Told once the worker polls: the task queue. */
  readonly onReady?: (taskQueue: string) => void;
}

/** Longer than a gradient step and its checkpoint take; what is not done by then is cut off and done again. */
const GRACE = '90s';

/**
 * Serves a data folder's task queues until it is asked to end: by SIGINT, SIGTERM, the end of the parent's IPC channel, or
 * `signal`. What is under way is finished first, within a limit. Starts Postgres and Temporal where they are not running.
 *
 * @throws ToolsampleError when a service cannot be had, `config` when the metrics cannot be served or the artifacts of the database's
 *   runs are elsewhere
 */
export async function runWorker(options: RunWorkerOptions = {}): Promise<void> {
  const queues = options.queues ?? WORKER_QUEUES;
  const log = openWorkerLog(options.log ?? {});
  installRuntime(temporalLogger(log), options.metrics);

  const services = await ensureServices({
    home: homePath({ home: options.home }),
    log: (message) => {
      log.info(message);
    },
  });
  await migrateDatabase(services.databaseUrl);
  const database = connect(services.databaseUrl, { presence: WORKER_PRESENCE });
  try {
    const artifacts = await openArtifactStore(services.folder);
    await claimStore(database.db, artifacts);
    await serveQueues({ queues, services, db: database.db, artifacts, log }, options);
  } finally {
    await database.close();
  }
}

interface Serving {
  readonly queues: readonly WorkerQueue[];
  readonly services: Services;
  readonly db: Database;
  readonly artifacts: ArtifactStore;
  readonly log: ReturnType<typeof openWorkerLog>;
}

async function serveQueues(
  { queues, services, db, artifacts, log }: Serving,
  options: RunWorkerOptions,
): Promise<void> {
  const engines = policyEngines(artifacts, process.env['TINKER_API_KEY']);
  const { temporal } = services;
  const connection = await NativeConnection.connect(temporal.connection);
  try {
    const deps: ActivityDependencies = {
      db,
      artifacts,
      engine: async (machine) => engines.on(machine),
      policyText: policyTexts(artifacts),
      dataFolder: services.folder.home,
    };
    const common: WorkerOptions = {
      connection,
      namespace: temporal.namespace,
      taskQueue: temporal.taskQueue,
      shutdownGraceTime: GRACE,
      // Cancellation arrives with the answer to a heartbeat.
      maxHeartbeatThrottleInterval: '3s',
      stickyQueueScheduleToStartTimeout: '5s',
    };
    const workers: Worker[] = [];
    if (queues.includes('light')) {
      workers.push(
        await Worker.create({
          ...common,
          workflowBundle: await workflowBundle(
            cacheFolders(services.folder, process.env),
            OWN_WORKFLOWS,
          ),
          activities: { ...lightActivities(deps, temporal) },
        }),
      );
    }
    if (queues.includes('gpu')) {
      workers.push(
        await Worker.create({
          ...common,
          taskQueue: acceleratorQueue(temporal.taskQueue),
          activities: { ...acceleratorActivities(deps) },
          maxConcurrentActivityTaskExecutions: 1,
        }),
      );
    }
    const endGauges =
      options.metrics !== undefined && queues.includes('light')
        ? startRunGauges(db, Runtime.instance().metricMeter, (error) => {
            log.warn({ err: error }, 'could not read the metrics of runs');
          })
        : undefined;
    log.info({ queues, taskQueue: temporal.taskQueue, temporal: temporal.address }, 'serving');
    options.onReady?.(temporal.taskQueue);
    try {
      await runUntilAsked(workers, options.signal);
    } finally {
      await endGauges?.();
    }
    log.info('ended');
  } finally {
    await connection.close();
    await engines.close();
  }
}

/** Runs all workers; whatever ends one of them ends the others. */
async function runUntilAsked(workers: readonly Worker[], signal?: AbortSignal): Promise<void> {
  const shutDown = (): void => {
    for (const worker of workers) {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    }
  };
  // A parent that was killed leaves nobody who would stop us.
  process.once('disconnect', shutDown);
  signal?.addEventListener('abort', shutDown);
  try {
    const running = workers.map(async (worker) => {
      try {
        await worker.run();
      } finally {
        shutDown();
      }
    });
    if (signal?.aborted === true) shutDown();
    const ended = await Promise.allSettled(running);
    for (const each of ended) {
      if (each.status === 'rejected') throw each.reason;
    }
  } finally {
    process.off('disconnect', shutDown);
    signal?.removeEventListener('abort', shutDown);
  }
}

/** Text sides by base manifest; a worker sees few, each loads in a fraction of a second. */
function policyTexts(artifacts: ArtifactStore): ActivityDependencies['policyText'] {
  const loaded = new Map<string, Promise<PolicyText>>();
  return async (base) => {
    const known = loaded.get(base.sha256);
    if (known !== undefined) return known;
    const loading = loadPolicyText(base, artifacts);
    loaded.set(base.sha256, loading);
    // A failure must not stay: the artifact may be repaired.
    loading.catch(() => loaded.delete(base.sha256));
    return loading;
  };
}

/** On these a worker finishes what it has in hand: the SDK's own, and that of a terminal that was closed. */
const SHUTDOWN_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR2', 'SIGHUP'] as const;

/** The SDK's runtime is one a process; a program that has set up its own keeps it. */
function installRuntime(
  logger: ReturnType<typeof temporalLogger>,
  metrics: string | undefined,
): void {
  if (Runtime._instance !== undefined && metrics === undefined) return;
  const shutdownSignals = [...SHUTDOWN_SIGNALS];
  const logging = { forward: {}, filter: { core: 'WARN', other: 'WARN' } } as const;
  if (metrics === undefined) {
    Runtime.install({ logger, shutdownSignals, telemetryOptions: { logging } });
    return;
  }
  try {
    Runtime.install({
      logger,
      shutdownSignals,
      telemetryOptions: {
        logging,
        metrics: {
          prometheus: {
            bindAddress: metrics,
            countersTotalSuffix: true,
            unitSuffix: true,
            useSecondsForDurations: true,
          },
        },
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ToolsampleError('config', `cannot serve metrics on ${metrics}: ${reason}`, {
      at: { field: 'metrics' },
      hint: 'choose another port, or free this one',
      cause: error,
    });
  }
}
