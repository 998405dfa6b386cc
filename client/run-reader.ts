import type { RunConfig } from '../contracts/config.ts';
import type { ExportedPolicy, ExportOptions } from '../contracts/export.ts';
import type { GarbageOptions, GarbageReport } from '../contracts/garbage.ts';
import type { RunMetrics } from '../contracts/metrics.ts';
import type { RunState, RunStatus, StepStatus } from '../contracts/run-status.ts';
import type { ServedWork } from '../contracts/served-work.ts';
import { policyCommittedAt } from '../db/checkpoints.ts';
import { connect, type Connection } from '../db/connection.ts';
import { migrateDatabase } from '../db/migrate.ts';
import {
  evaluationAnswers,
  groupReports,
  type EvaluationAnswer,
  type GroupReport,
} from '../db/rollout-report.ts';
import { workBeingServed } from '../db/presence.ts';
import { listRuns, runStatus } from '../db/run-status.ts';
import { stepMetrics } from '../db/step-metrics.ts';
import { stepStatus } from '../db/step-status.ts';
import { readRun, runIds } from '../db/runs.ts';
import type { LoadablePolicy } from '../policy/engine/policy-files.ts';
import { openArtifactStore } from '../services/artifact-store.ts';
import { homePath, type DataFolder } from '../services/data-folder.ts';
import { policyPlace, presentPlace } from '../services/own-places.ts';
import { ensureDatabaseOnly, inspectServices } from '../services/services.ts';

/** Everything about runs that can be read; needs Postgres and the data folder's artifacts only. */
export interface RunReader {
  /** How all runs stand, newest first. */
  runs(): Promise<RunStatus[]>;
  /** Ids of all runs, or of those in some states, newest first; far cheaper than {@link runs}. */
  runIds(states?: readonly RunState[]): Promise<string[]>;
  /** @throws ToolsampleError `not-found` */
  status(run: string): Promise<RunStatus>;
  /** The committed steps in order, those after step `after` (default: all). */
  steps(run: string, after?: number): Promise<StepStatus[]>;
  /** All numbers of a run's steps and evaluations. @throws ToolsampleError `not-found` */
  metrics(run: string): Promise<RunMetrics>;
  /** The configuration of a run, with all defaults filled in. @throws ToolsampleError `not-found` */
  config(run: string): Promise<RunConfig>;
  /** The groups of a step with their completions; of one sample only when it is named. */
  rollouts(
    run: string,
    options: { readonly step: number; readonly sample?: string | undefined },
  ): Promise<GroupReport[]>;
  /** What the policy answered to the samples of a held-out split; step 0 is before training. */
  evaluationAnswers(
    run: string,
    options: { readonly step: number; readonly split: string },
  ): Promise<EvaluationAnswer[]>;
  /**
   * Writes a policy of a run, whatever the run's state, as a folder that transformers or PEFT loads. The folder appears whole or
   * not at all.
   *
   * @throws ToolsampleError `not-found` when the run has not come to that epoch, `config` when it never will, has no adapters
   *   to write, or the folder is taken
   */
  exportPolicy(run: string, options: ExportOptions): Promise<ExportedPolicy>;
  /**
   * Lets `use` load a policy of a run, whatever the run's state: its files stay until `use` has ended.
   *
   * @param epoch as {@link ExportOptions} has it
   * @throws ToolsampleError `not-found`, `config` as {@link exportPolicy}
   */
  usePolicy<T>(
    run: string,
    epoch: ExportOptions['epoch'],
    use: (policy: LoadablePolicy) => Promise<T>,
  ): Promise<T>;
  /**
   * Removes the artifacts to which no run refers. Safe beside workers, and to be killed.
   *
   * @throws ToolsampleError `config` when the database seems to be another data folder's, or the limit is below an hour
   */
  collectGarbage(options?: GarbageOptions): Promise<GarbageReport>;
  close(): Promise<void>;
}

export interface RunReaderOptions {
  /** The data folder; default: `TOOLSAMPLE_HOME`, else `.toolsample`. */
  readonly home?: string | undefined;
  /** Receives what a user should know while services start. */
  readonly log?: (message: string) => void;
}

/** Opens the runs of a data folder for reading; starts Postgres where it is not running. */
export async function openRuns(options: RunReaderOptions = {}): Promise<RunReader> {
  const { databaseUrl, folder } = await ensureDatabaseOnly({
    home: homePath({ home: options.home }),
    ...(options.log === undefined ? {} : { log: options.log }),
  });
  await migrateDatabase(databaseUrl);
  return runReader(connect(databaseUrl), folder);
}

/** Reads runs over a connection, which `close` closes. */
export function runReader(connection: Connection, folder: DataFolder): RunReader {
  const { db } = connection;
  const withPresentFolder = async (status: RunStatus): Promise<RunStatus> => {
    const { run, policyFolder: stored, policyStep } = status;
    if (stored === null) return status;
    const place = policyPlace(folder.home, run);
    const committed = async (): Promise<Date | null> =>
      policyStep === null ? null : policyCommittedAt(db, run, policyStep);
    return { ...status, policyFolder: await presentPlace(stored, folder.home, place, committed) };
  };
  return {
    runs: async () => Promise.all((await listRuns(db)).map(withPresentFolder)),
    runIds: async (states) => runIds(db, states),
    status: async (run) => withPresentFolder(await runStatus(db, run)),
    steps: async (run, after = 0) => stepStatus(db, run, after),
    metrics: async (run) => {
      const { startedAt, evaluations } = await runStatus(db, run);
      return { run, startedAt, steps: await stepMetrics(db, run), evaluations };
    },
    config: async (run) => (await readRun(db, run)).config,
    rollouts: async (run, { step, sample }) => {
      await readRun(db, run);
      return groupReports(db, run, step, sample);
    },
    evaluationAnswers: async (run, { step, split }) => {
      await readRun(db, run);
      return evaluationAnswers(db, run, step, split);
    },
    exportPolicy: async (run, options) => {
      // Loaded only here: nobody else who reads needs what knows checkpoints.
      const { exportRun } = await import('./export-run.ts');
      return exportRun({ db, artifacts: await openArtifactStore(folder) }, run, options);
    },
    usePolicy: async (run, epoch, use) => {
      const { runPolicy } = await import('./run-policy.ts');
      const store = await openArtifactStore(folder);
      return store.reading(async (artifacts) =>
        use(await runPolicy({ db, artifacts }, run, epoch)),
      );
    },
    collectGarbage: async (options) => {
      const { collectGarbage } = await import('./collect-garbage.ts');
      return collectGarbage(db, await openArtifactStore(folder, { tidy: false }), options);
    },
    close: async () => connection.close(),
  };
}

/** Longer than a server that is well takes to answer. */
const GLANCE_MILLISECONDS = 3_000;

/**
 * What a worker serves now, paused or not, and stopping the data folder's servers would cut off: experiments, evaluations and runs, the
 * newest of each first; starts nothing. Empty where no server of the data folder runs.
 */
export async function workCutOffBy(home: string): Promise<ServedWork[]> {
  const { postgres, temporal } = await inspectServices({ home, env: {} });
  if (postgres.pid === null && temporal.pid === null) return [];
  // A database that is given may be one beside the data folder's own; its runs go through the data folder's Temporal server.
  const given = process.env['DATABASE_URL'];
  const urls = new Set([given, postgres.url].flatMap((url) => (url ? [url] : [])));
  return (await Promise.all([...urls].map(servedIn))).flat();
}

async function servedIn(url: string): Promise<ServedWork[]> {
  let connection: Connection | undefined;
  try {
    connection = connect(url, { timeoutMs: GLANCE_MILLISECONDS });
    return await workBeingServed(connection.db);
  } catch {
    // No address, not reachable, or nothing was ever stored: nothing that could be disturbed.
    return [];
  } finally {
    await connection?.close();
  }
}
