import { isDeepStrictEqual } from 'node:util';
import {
  Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import type { RunConfig, RunConfigInput } from './contracts/config.ts';
import { ToolsampleError } from './contracts/errors.ts';
import type { StopAsked } from './contracts/requests.ts';
import type { RunStatus } from './contracts/run-status.ts';
import { shellWord } from './contracts/shell-word.ts';
import {
  PROGRESS_QUERY,
  RUN_SIGNALS,
  TRAINING_RUN,
  epochWorkflowId,
  type LiveProgress,
  type RunProgress,
} from './contracts/temporal.ts';
import { connect } from './db/connection.ts';
import { migrateDatabase } from './db/migrate.ts';
import { findRun } from './db/runs.ts';
import { readRunAt } from './db/setting-changes.ts';
import { runForking, type RunForking } from './client/fork-run.ts';
import { runExperiments, type RunExperiments } from './client/run-experiments.ts';
import { policyEvaluations, type PolicyEvaluations } from './client/run-evaluations.ts';
import { runReader, type RunReader, type RunReaderOptions } from './client/run-reader.ts';
import { withAbsolutePaths } from './services/configuration/absolute-paths.ts';
import { resolveConfig } from './services/configuration/resolve.ts';
import { homePath } from './services/data-folder.ts';
import { ensureServices, type Services } from './services/services.ts';
import { endableConnection } from './services/temporal/endable-connection.ts';
import { runSteering, type RunSteering } from './client/steer-run.ts';
import { waitForEnd, type EndedRun, type WaitOptions } from './client/wait-for-run.ts';
import { newRunId, originMemo, shownInTemporal } from './client/run-labels.ts';
import { requireNameOfRun, unpreparedRuns, type UnpreparedRun } from './client/unprepared-runs.ts';
import { workUnderWay } from './client/work-under-way.ts';
import { isUnderWay, requireIdFor, requireType } from './client/workflow-ids.ts';

export interface StartRunOptions {
  /** Id of the run, which is also its workflow id: up to 80 letters, digits, `.`, `_`, `-`. Default: sampler and time, e.g. `dscl-20261124-093015`. */
  readonly run?: string | undefined;
  /** Any part of the configuration; keys in snake_case, kebab-case or camelCase. Relative paths are of the working directory. */
  readonly config?: RunConfigInput | undefined;
}

/** Starts, steers and reads runs. Work is done by workers (`runWorker`, `toolsample worker`), here or elsewhere. */
export interface ToolsampleClient
  extends RunReader, RunSteering, RunForking, RunExperiments, PolicyEvaluations {
  readonly services: Services;
  /**
   * Starts a run; one of that id that is under way is left alone, one that failed, stopped or was lost goes on.
   *
   * @throws ToolsampleError `config` when the configuration is wrong, the id of a new run is no name, or belongs to a completed run,
   *   one with another configuration, or an experiment or evaluation
   */
  startRun(options?: StartRunOptions): Promise<{ readonly run: string }>;
  /**
   * Goes on with a run that failed, stopped, was paused or lost, after its last finished piece of work; takes back a stop that
   * has not happened yet.
   *
   * @throws ToolsampleError `not-found`; `config` when at Temporal an experiment or evaluation has the id
   */
  resumeRun(run: string): Promise<'running' | 'completed'>;
  /** Runs under way that no worker has prepared yet, so that Postgres does not know them; with the configuration each was given. */
  unpreparedRuns(): Promise<UnpreparedRun[]>;
  /** Waits until the run completes, fails or stops. @throws ToolsampleError when it failed before it was recorded */
  waitFor(run: string, options?: WaitOptions): Promise<EndedRun>;
  /** What the run is doing now; null when no worker answers within a second. */
  progress(run: string): Promise<LiveProgress | null>;
  /** What Ctrl-C does: ends the run at the next step's boundary, leaving no policy behind. Counts also when no worker is there yet. */
  interrupt(run: string): Promise<void>;
  /** What Ctrl-C does when that takes too long: ends the run now. Counts also when no worker is there yet. */
  cutOff(run: string): Promise<void>;
}

/**
 * Connects to a data folder's services, starting those that are not running.
 *
 * @example
 * ```ts
 * import { connectToolsample } from './client.ts';
 *
 * const toolsample = await connectToolsample({ home: '.toolsample' });
 * const { run } = await toolsample.startRun({
 *   config: { max_steps: 2, corpus_size: 32, eval_size: 32, seed: 7 },
 * });
 * const status = await toolsample.waitFor(run, {
 *   onStatus: ({ step, totalSteps }) => console.log(`step ${step} of ${totalSteps}`),
 * });
 * console.log(status.state, status.policySha256, status.policyFolder);
 * await toolsample.close();
 * ```
 */
export async function connectToolsample(options: RunReaderOptions = {}): Promise<ToolsampleClient> {
  const services = await ensureServices({
    home: homePath({ home: options.home }),
    ...(options.log === undefined ? {} : { log: options.log }),
  });
  await migrateDatabase(services.databaseUrl);
  const database = connect(services.databaseUrl);
  const { temporal } = services;
  const { connection, close: disconnect } = await endableConnection(temporal.connection);
  const { workflow } = new Client({ connection, namespace: temporal.namespace });
  const reader = runReader(database, services.folder);
  const waiting = async () => unpreparedRuns({ workflow }, database.db, temporal.taskQueue);

  /** Starts the workflow, or tells the one under way to go on: one request, nothing can come between. */
  const goOn = async (
    run: string,
    config: RunConfig,
    known: RunStatus | null,
  ): Promise<'running' | 'completed'> => {
    await requireIdFor(TRAINING_RUN, run, { workflow, db: database.db });
    // What the run is called after is what its next step does: a fork, or `set`, may have changed what it began with.
    const next =
      known === null ? config : (await readRunAt(database.db, run, known.step + 1)).config;
    const forkOf = known?.forkOf ?? null;
    try {
      await workflow.signalWithStart(TRAINING_RUN, {
        ...shownInTemporal(next, forkOf),
        workflowId: run,
        taskQueue: temporal.taskQueue,
        args: [config],
        signal: RUN_SIGNALS.continue,
        signalArgs: [{ by: 'resume' }],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        memo: { ...originMemo(forkOf), config },
      });
      return 'running';
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return 'completed';
      throw error;
    }
  };

  return {
    ...reader,
    ...runSteering({ workflow }, connection, async (run) => reader.status(run)),
    ...runForking({ workflow }, database.db, temporal.taskQueue),
    ...runExperiments({ workflow }, database.db, temporal.taskQueue),
    ...policyEvaluations({ workflow }, database.db, {
      home: services.folder.home,
      taskQueue: temporal.taskQueue,
    }),
    services,
    async startRun({ run, config: input = {} } = {}) {
      const config = withAbsolutePaths(resolveConfig(input), process.cwd());
      const id = run ?? newRunId(config.sampler);
      const known = await findRun(database.db, id);
      if (known === null) await requireNameOfRun(id, waiting);
      if (known !== null && !isDeepStrictEqual(known.config, config)) {
        throw new ToolsampleError('config', `run "${id}" exists with another configuration`, {
          hint: `choose another name, or go on with it: toolsample resume ${shellWord(id)}`,
        });
      }
      const status = known === null ? null : await reader.status(id);
      if ((await goOn(id, config, status)) === 'completed') {
        throw new ToolsampleError('config', `run "${id}" has completed`, {
          hint: 'choose another name',
        });
      }
      return { run: id };
    },
    async resumeRun(run) {
      const known = await statusOrNull(reader, run);
      // A run that no worker has taken up yet only waits for one.
      if (known === null && (await isUnderWay(TRAINING_RUN, workflow.getHandle(run))))
        return 'running';
      const status = known ?? (await reader.status(run));
      return status.state === 'completed'
        ? 'completed'
        : goOn(run, await reader.config(run), status);
    },
    unpreparedRuns: waiting,
    waitFor: async (run, wait = {}) =>
      waitForEnd(workflow.getHandle(run), async () => statusOrNull(reader, run), wait),
    async progress(run) {
      try {
        return await connection.withDeadline(Date.now() + 1000, async () => {
          const progress = await workflow.getHandle(run).query<RunProgress>(PROGRESS_QUERY);
          let work = await workUnderWay(workflow, run);
          if (work === null && progress.epoch > 0) {
            // The epoch's workflow may be about to start.
            work = await workUnderWay(workflow, epochWorkflowId(run, progress.epoch)).catch(
              () => null,
            );
          }
          return { ...progress, work };
        });
      } catch {
        return null;
      }
    },
    interrupt: async (run) => {
      const asked: StopAsked = { by: 'Ctrl-C', export: false };
      await whileUnderWay(workflow.getHandle(run), async (handle) =>
        handle.signal(RUN_SIGNALS.stop, asked),
      );
    },
    cutOff: async (run) => {
      await whileUnderWay(workflow.getHandle(run), async (handle) => handle.cancel());
    },
    async close() {
      await disconnect();
      await reader.close();
    },
  };
}

async function statusOrNull(reader: RunReader, run: string): Promise<RunStatus | null> {
  try {
    return await reader.status(run);
  } catch (error) {
    if (error instanceof ToolsampleError && error.code === 'not-found') return null;
    throw error;
  }
}

async function whileUnderWay(
  run: WorkflowHandle,
  request: (run: WorkflowHandle) => Promise<unknown>,
): Promise<void> {
  await requireType(TRAINING_RUN, run);
  try {
    await request(run);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const { workflowId: id } = run;
    throw new ToolsampleError('not-found', `run "${id}" is not under way`, {
      hint: `toolsample resume ${shellWord(id)}`,
      cause: error,
    });
  }
}
