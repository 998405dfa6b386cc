import { setTimeout as sleep } from 'node:timers/promises';
import type { ToolsampleClient } from '../client.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { reportFailure, type ExitCode } from './failure.ts';
import { onInterrupt } from './interrupt.ts';
import type { CommandContext } from './program.ts';
import type { Terminal } from './terminal.ts';
import { DRAIN_MILLISECONDS, startWorkerProcess, type LostWorker } from './worker-process.ts';

export interface FollowedWorkflow {
  readonly context: CommandContext;
  readonly client: Pick<ToolsampleClient, 'services'>;
  /** How to go on, e.g. `the same command goes on`; told where that can help. */
  readonly goOn: string;
  /** Ends what is under way. */
  readonly stop: () => Promise<void>;
  /** Waits for the workflow's end. @throws ToolsampleError when it failed */
  readonly ended: () => Promise<void>;
  /** Looks how far it is and tells what is new; what fails here is no reason to end. */
  readonly look: () => Promise<void>;
}

const POLL_MILLISECONDS = 1000;
/** What is cut off has so long to record that it was. */
const CANCEL_MILLISECONDS = 12_000;

/** Serves a workflow with a worker of our own and tells how far it is until it ends, or until the user stops it. */
export async function followWorkflow(workflow: FollowedWorkflow): Promise<ExitCode> {
  const { context, client, goOn } = workflow;
  const { terminal, home, metrics } = context;
  const worker = startWorkerProcess({
    home,
    metrics,
    logs: client.services.folder.logs,
    onRestart: (message) => terminal.note(message),
  });
  const givenUp = new AbortController();
  void worker.lost.then(({ reason }) => givenUp.abort(reason));
  let stopping = false;
  const release = onInterrupt({
    stop: () => {
      stopping = true;
      terminal.note('stopping; Ctrl-C again ends at once');
      void workflow.stop().catch(() => undefined);
      void sleep(CANCEL_MILLISECONDS, undefined, { ref: false }).then(() =>
        givenUp.abort('stopped'),
      );
    },
    kill: () => {
      worker.kill();
      terminal.note(`ended at once; ${goOn}`);
      process.exit(1);
    },
  });
  try {
    await tellUntilEnd(workflow, givenUp.signal);
    return 0;
  } catch (error) {
    if (stopping) {
      terminal.note(`stopped; ${goOn}`);
      return 0;
    }
    const code = await tellFailure(
      error,
      givenUp.signal.aborted ? await worker.lost : null,
      terminal,
    );
    // What the user has to change would be met again.
    if (code === 1) terminal.note(goOn);
    return code;
  } finally {
    await worker.stop(DRAIN_MILLISECONDS);
    release();
  }
}

/** @throws what is no failure of the workflow or of its worker */
async function tellFailure(
  error: unknown,
  lost: LostWorker | null,
  terminal: Terminal,
): Promise<ExitCode> {
  if (lost === null) {
    if (!(error instanceof ToolsampleError)) throw error;
    return reportFailure(error, terminal);
  }
  terminal.note(`${terminal.paint.red('error:')} ${lost.reason}`);
  return lost.exitCode;
}

async function tellUntilEnd({ ended, look }: FollowedWorkflow, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const end = ended().finally(() => over.abort());
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
