import { setTimeout as sleep } from 'node:timers/promises';
import type { ToolsampleClient } from '../client.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { EvaluationReport } from '../contracts/suite-evaluation.ts';
import type { ExitCode } from './failure.ts';
import { onInterrupt } from './interrupt.ts';
import type { CommandContext } from './program.ts';
import { count, duration, percent } from './render/text.ts';
import { workflowAddress } from './watch-run.ts';
import { startWorkerProcess } from './worker-process.ts';

export interface FollowEvaluationOptions {
  readonly context: CommandContext;
  readonly client: ToolsampleClient;
  readonly evaluation: string;
}

const POLL_MILLISECONDS = 1000;
/** Between two lines that tell how far it is. */
const PATIENCE = 15_000;
/** What is cut off has so long to record that it was. */
const CANCEL_MILLISECONDS = 12_000;
/** What a worker without work needs to end. */
const DRAIN_MILLISECONDS = 5_000;
const GO_ON = 'the same command goes on';

/** Serves an evaluation with a worker of our own and tells how far it is until it ends, or until the user stops it. */
export async function followEvaluation(options: FollowEvaluationOptions): Promise<ExitCode> {
  const { context, client, evaluation } = options;
  const { terminal, home } = context;
  const address = workflowAddress(client, evaluation);
  if (address !== null) terminal.note(`Temporal UI  ${address}`);
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
      void client.stopEvaluation(evaluation).catch(() => undefined);
      void sleep(CANCEL_MILLISECONDS, undefined, { ref: false }).then(() =>
        givenUp.abort('stopped'),
      );
    },
    kill: () => {
      worker.kill();
      terminal.note(`ended at once; ${GO_ON}`);
      process.exit(1);
    },
  });
  try {
    await tellProgress(options, givenUp.signal);
    return 0;
  } catch (error) {
    if (stopping) {
      terminal.note(`stopped; ${GO_ON}`);
      return 0;
    }
    if (givenUp.signal.aborted) terminal.note(String(givenUp.signal.reason));
    else if (error instanceof ToolsampleError) terminal.note(`error: ${error.message}`);
    else throw error;
    terminal.note(GO_ON);
    return error instanceof ToolsampleError ? error.exitCode : 1;
  } finally {
    await worker.stop(DRAIN_MILLISECONDS);
    release();
  }
}

/** Until the workflow ends. @throws ToolsampleError when it failed */
async function tellProgress(
  { context, client, evaluation }: FollowEvaluationOptions,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const end = client.evaluationEnded(evaluation).finally(() => over.abort());
  const telling = (async () => {
    const begin = Date.now();
    let lastTold = begin;
    let before: number | null = null;
    while (!over.signal.aborted && !signal.aborted) {
      // What is told is not worth ending for: a database that is away comes back.
      const report = await client.evaluationReport(evaluation).catch(() => null);
      if (report !== null) {
        const answered = sum(report, 'answered');
        before ??= answered;
        if (Date.now() - lastTold > PATIENCE && answered > before) {
          context.terminal.note(progressLine(report, before, (Date.now() - begin) / 1000));
          lastTold = Date.now();
        }
      }
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
    await telling;
  }
}

function progressLine(report: EvaluationReport, before: number, seconds: number): string {
  const answered = sum(report, 'answered');
  const questions = sum(report, 'questions');
  const left = ((questions - answered) * seconds) / (answered - before);
  const share = percent(sum(report, 'correct') / answered);
  return `${count(answered)} of ${count(questions)} answered, ${share} right so far, ${duration(left)} left`;
}

function sum({ parts }: EvaluationReport, field: 'questions' | 'answered' | 'correct'): number {
  return parts.reduce((total, part) => total + part[field], 0);
}
