import { setTimeout as sleep } from 'node:timers/promises';
import type { ToolsampleClient } from '../client.ts';
import type { RunStatus, StepStatus } from '../contracts/run-status.ts';
import type { WorkUnderWay } from '../contracts/temporal.ts';
import type { EndedRun } from '../client/wait-for-run.ts';
import type { LiveView } from './live-view.ts';

export interface FollowOptions {
  readonly client: Pick<ToolsampleClient, 'waitFor' | 'steps' | 'progress'>;
  readonly run: string;
  /** How far the run is already; null for a new one. */
  readonly before: RunStatus | null;
  readonly view: LiveView;
  readonly workflowUrl: string | null;
  /** What goes on until the workflow tells; null when unknown. */
  readonly phase: string | null;
  /** What is told once when a new run is prepared. */
  readonly prepared: (status: RunStatus) => readonly string[];
  /** What Ctrl-C does. */
  readonly hint: string;
  /** Asked at each drawing: what the user should know. */
  readonly notice: () => string | null;
  /** Gives up following; the run goes on. */
  readonly signal: AbortSignal;
  /** Between two drawings; default 500. */
  readonly intervalMs?: number;
}

export interface FollowedRun {
  readonly status: EndedRun;
  /** Steps that were made meanwhile. */
  readonly steps: readonly StepStatus[];
  /** Seconds until the run was prepared. */
  readonly startSeconds: number;
}

/** Drawings between two questions to the workflow: Postgres is cheap to ask, a query wakes the worker. */
const DRAWINGS_PER_QUERY = 4;
/** The same while no worker answers: unanswered queries pile up on the server. */
const MAX_DRAWINGS_PER_QUERY = 32;

/** Shows a run until it ends. */
export async function followRun(options: FollowOptions): Promise<FollowedRun> {
  const { client, run, view, intervalMs = 500 } = options;
  const begin = Date.now();
  const steps: StepStatus[] = [];
  const done = new AbortController();
  let status: RunStatus = options.before ?? unprepared(run);
  let { phase } = options;
  let work: WorkUnderWay | null = null;
  let preparedAt: number | null = null;

  const draw = async (now: RunStatus): Promise<void> => {
    if (now.step > (steps.at(-1)?.step ?? 0))
      steps.push(...(await client.steps(run, steps.at(-1)?.step ?? 0)));
    view.update({
      status: now,
      steps,
      phase,
      work,
      elapsed: (Date.now() - begin) / 1000,
      workflowUrl: options.workflowUrl,
      hint: options.hint,
      notice: options.notice(),
    });
  };
  const keepDrawing = async (): Promise<void> => {
    let pause = DRAWINGS_PER_QUERY;
    for (let sinceQuery = 0; !done.signal.aborted; sinceQuery++) {
      if (sinceQuery >= pause) {
        const progress = await client.progress(run);
        pause =
          progress === null ? Math.min(MAX_DRAWINGS_PER_QUERY, 2 * pause) : DRAWINGS_PER_QUERY;
        sinceQuery = 0;
        phase = progress?.phase ?? phase;
        work = progress?.work ?? null;
      }
      // What is drawn is not worth ending a run for: a database that is away comes back or ends the wait.
      if (!done.signal.aborted) await draw(status).catch(() => undefined);
      await sleep(intervalMs, undefined, { signal: done.signal }).catch(() => undefined);
    }
  };

  const drawing = keepDrawing();
  try {
    const ended = await client.waitFor(run, {
      onStatus: (now) => {
        status = now;
        if (preparedAt !== null) return;
        preparedAt = Date.now();
        if (options.before === null) for (const line of options.prepared(now)) view.say(line);
      },
      signal: options.signal,
      intervalMs,
    });
    done.abort();
    await drawing;
    await draw(ended);
    const news = steps.filter(({ step }) => step > (options.before?.step ?? 0));
    return {
      status: ended,
      steps: news,
      startSeconds: ((preparedAt ?? Date.now()) - begin) / 1000,
    };
  } finally {
    done.abort();
    await drawing;
    view.close();
  }
}

/** What is known of a run that no worker has begun to prepare. */
function unprepared(run: string): RunStatus {
  return {
    run,
    state: 'running',
    withoutWorker: false,
    epoch: 0,
    step: 0,
    totalSteps: 0,
    policySha256: null,
    policyFolder: null,
    policyStep: null,
    generatedTokens: 0,
    data: { samples: 0, promptLimit: 0, leftOut: [], heldOut: [] },
    evaluations: [],
    lastStep: null,
    forkOf: null,
    startedAt: new Date().toISOString(),
    finishedAt: null,
    reason: null,
    requested: null,
    requests: [],
    settings: [],
  };
}
