import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
  type Connection,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ERROR_CODES, ToolsampleError } from '../contracts/errors.ts';
import type {
  AcceptedRequest,
  Asked,
  RunRequest,
  SetAsked,
  StopAsked,
} from '../contracts/requests.ts';
import type { RunStatus } from '../contracts/run-status.ts';
import { shellWord } from '../contracts/shell-word.ts';
import { PROGRESS_QUERY } from '../contracts/temporal.ts';

/**
 * Asks something of a run under way. The answer says that the request was accepted and recorded; the effect comes at the next
 * step.
 *
 * Each throws ToolsampleError `not-found` when there is no such run; `refused` when the run is over, no worker answers, or its
 * state rules the request out; `config` when the request itself is wrong.
 */
export interface RunSteering {
  /** Waits before the next step until {@link continue}. */
  pause(run: string, asked?: Asked): Promise<AcceptedRequest>;
  /** Ends a pause, or takes back a stop that has not happened yet. */
  continue(run: string, asked?: Asked): Promise<AcceptedRequest>;
  /** Ends the run after the step under way and, unless told otherwise, exports its policy. It can be resumed. */
  stop(run: string, asked?: StopAsked): Promise<AcceptedRequest>;
  /** Ends the run now: what is under way is cut off, and done again after it is resumed. */
  cancel(run: string, asked?: Asked): Promise<AcceptedRequest>;
  /** Changes settings from the next step on. */
  set(run: string, asked: SetAsked): Promise<AcceptedRequest>;
  /** Evaluates the policy on all held-out splits before the next step. */
  evaluate(run: string, asked?: Asked): Promise<AcceptedRequest>;
}

/** A worker that is there answers a query within this, also on a busy machine. */
const WORKER_MILLISECONDS = 5_000;
/** A request is checked and recorded within this, also while Postgres restarts. */
const ANSWER_MILLISECONDS = 60_000;

export function runSteering(
  { workflow }: Pick<Client, 'workflow'>,
  connection: Connection,
  statusOf: (run: string) => Promise<RunStatus>,
): RunSteering {
  const ask = async (
    run: string,
    request: RunRequest,
    asked: Asked | undefined,
  ): Promise<AcceptedRequest> => {
    const { state } = await statusOf(run);
    if (state !== 'running' && state !== 'paused') throw over(run, state);
    const handle = workflow.getHandle(run);
    // Asked first, because an update that nobody takes up now would count later.
    await connection
      .withDeadline(Date.now() + WORKER_MILLISECONDS, async () => handle.query(PROGRESS_QUERY))
      .catch((cause: unknown) => {
        throw cause instanceof WorkflowNotFoundError ? over(run, 'lost') : unattended(run, cause);
      });
    try {
      return await connection.withDeadline(Date.now() + ANSWER_MILLISECONDS, async () =>
        handle.executeUpdate<AcceptedRequest, [Asked | undefined]>(request, { args: [asked] }),
      );
    } catch (error) {
      throw explained(run, error);
    }
  };
  return {
    pause: async (run, asked) => ask(run, 'pause', asked),
    continue: async (run, asked) => ask(run, 'continue', asked),
    stop: async (run, asked) => ask(run, 'stop', asked),
    cancel: async (run, asked) => ask(run, 'cancel', asked),
    set: async (run, asked) => ask(run, 'set', asked),
    evaluate: async (run, asked) => ask(run, 'evaluate', asked),
  };
}

function over(run: string, state: string): ToolsampleError {
  return new ToolsampleError('refused', `run "${run}" is not under way: it is ${state}`, {
    hint:
      state === 'completed'
        ? 'start another run'
        : `toolsample resume ${shellWord(run)} goes on with it`,
  });
}

function unattended(run: string, cause: unknown): ToolsampleError {
  return new ToolsampleError('refused', `no worker works on run "${run}"`, {
    hint: `nothing is computed now; toolsample resume ${shellWord(run)} starts a worker`,
    cause,
  });
}

/** What went wrong with an update, in the words of the workflow or the worker that refused it. */
function explained(run: string, error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) return over(run, 'at its end');
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return new ToolsampleError('service', `run "${run}" has not answered in time`, {
      hint: `toolsample status ${shellWord(run)} shows whether the request was accepted`,
      cause: error,
    });
  }
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure)) return error;
  const code = ERROR_CODES.find((known) => known === cause.type);
  // The run ended between our question and the update.
  return code === undefined ? over(run, 'at its end') : new ToolsampleError(code, cause.message);
}
