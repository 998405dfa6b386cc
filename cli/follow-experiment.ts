import { setTimeout as sleep } from 'node:timers/promises';
import type { ToolsampleClient } from '../client.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { ExperimentRunStatus, ExperimentStatus } from '../contracts/experiment.ts';
import type { ExitCode } from './failure.ts';
import { onInterrupt } from './interrupt.ts';
import type { CommandContext } from './program.ts';
import { count, percent } from './render/text.ts';
import { startWorkerProcess } from './worker-process.ts';

export interface FollowExperimentOptions {
  readonly context: CommandContext;
  readonly client: ToolsampleClient;
  readonly experiment: string;
  /** The command that goes on. */
  readonly goOn: string;
}

const POLL_MILLISECONDS = 1000;
/** Without news a line tells how far the runs under way are. */
const PATIENCE = 60_000;
/** What is cut off has so long to record that it was. */
const CANCEL_MILLISECONDS = 12_000;
/** What a worker without work needs to end. */
const DRAIN_MILLISECONDS = 5_000;

/** Serves an experiment with a worker of our own and tells of its runs until it ends, or until the user stops it. */
export async function followExperiment(options: FollowExperimentOptions): Promise<ExitCode> {
  const { context, client, experiment, goOn } = options;
  const { terminal, home } = context;
  terminal.note(`experiment ${experiment}`);
  const worker = startWorkerProcess({
    home,
    logs: client.services.folder.logs,
    onRestart: (message) => terminal.note(message),
  });
  const givenUp = new AbortController();
  void worker.lost.then((reason) => givenUp.abort(reason));
  let stopping = false;
  const release = onInterrupt({
    stop: () => {
      stopping = true;
      terminal.note('stopping; Ctrl-C again ends at once');
      void client.stopExperiment(experiment).catch(() => undefined);
      void sleep(CANCEL_MILLISECONDS, undefined, { ref: false }).then(() =>
        givenUp.abort('stopped'),
      );
    },
    kill: () => {
      worker.kill();
      terminal.note(`ended at once; go on with: ${goOn}`);
      process.exit(1);
    },
  });
  try {
    await tellRuns(options, givenUp.signal);
    return 0;
  } catch (error) {
    if (stopping) {
      terminal.note(`stopped; go on with: ${goOn}`);
      return 0;
    }
    if (givenUp.signal.aborted) {
      terminal.note(String(givenUp.signal.reason));
    } else if (error instanceof ToolsampleError) {
      terminal.note(error.message);
    } else throw error;
    terminal.note(`go on with: ${goOn}`);
    return error instanceof ToolsampleError ? error.exitCode : 1;
  } finally {
    await worker.stop(DRAIN_MILLISECONDS);
    release();
  }
}

/** Prints a line when a run begins and when it ends, until the workflow ends. @throws ToolsampleError when it failed */
async function tellRuns(
  { context, client, experiment }: FollowExperimentOptions,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = context;
  const told = new Map<string, string>();
  let lastTold = Date.now();
  const tell = (line: string): void => {
    terminal.print(line);
    lastTold = Date.now();
  };
  const look = async (): Promise<void> => {
    const status = await statusIfAny(client, experiment);
    if (status === null) return;
    for (const [index, run] of status.runs.entries()) {
      if (run.state === null || told.get(run.run) === run.state) continue;
      told.set(run.run, run.state);
      const end = run.state === 'running' ? 'begins' : await endText(client, run);
      tell(`run ${index + 1} of ${status.runs.length}: ${run.arm}, seed ${run.seed}: ${end}`);
    }
    if (Date.now() - lastTold > PATIENCE) tell(progressText(status));
  };
  // What was completed before is no news.
  for (const { run, state } of (await statusIfAny(client, experiment))?.runs ?? [])
    if (state === 'completed') told.set(run, state);
  const over = new AbortController();
  const end = client.experimentEnded(experiment).finally(() => over.abort());
  const watching = (async () => {
    while (!over.signal.aborted && !signal.aborted) {
      // What is told is not worth ending for: a database that is away comes back.
      await look().catch(() => undefined);
      await sleep(POLL_MILLISECONDS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  const lost = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(String(signal.reason))));
  });
  try {
    await Promise.race([end, lost]);
  } finally {
    over.abort();
    await watching;
    await look().catch(() => undefined);
  }
}

/** Null before a worker has prepared the experiment. */
async function statusIfAny(
  client: ToolsampleClient,
  experiment: string,
): Promise<ExperimentStatus | null> {
  try {
    return await client.experimentStatus(experiment);
  } catch (error) {
    if (error instanceof ToolsampleError && error.code === 'not-found') return null;
    throw error;
  }
}

async function endText(client: ToolsampleClient, run: ExperimentRunStatus): Promise<string> {
  const { evaluations, step, reason } = await client.status(run.run);
  const last = evaluations.findLast(({ split }) => split === evaluations[0]?.split);
  const why = reason === null ? '' : `, ${reason}`;
  const reached =
    last === undefined
      ? ''
      : `, reward ${last.reward.toFixed(3)}, exact match ${percent(last.exactMatch)}`;
  return `${run.state ?? ''} after step ${step}, ${count(run.generatedTokens)} tokens${reached}${why}`;
}

function progressText({ runs, asked }: ExperimentStatus): string {
  const completed = runs.filter(({ state }) => state === 'completed').length;
  const underWay = runs
    .filter(({ state }) => state === 'running')
    .map(({ arm, seed, generatedTokens }) => `${arm}, seed ${seed}: ${count(generatedTokens)}`);
  return `  ${completed} of ${runs.length} runs completed; under way, of ${count(asked.tokens)} tokens: ${underWay.join('; ')}`;
}
