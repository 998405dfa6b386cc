import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { errorChain, errorFrames, errorLine, errorReport } from '../contracts/error-text.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { isLostConnection } from '../services/lost-connection.ts';
import { countUnforeseenEnd } from './heartbeat.ts';

/** What we did not foresee is tried so often; a flaw of ours does not heal, a hiccup of the machine may. */
const UNFORESEEN_ATTEMPTS = 3;

/** Codes by which Postgres says that it is too busy now (class 53), or that others were first: worth the workflow's whole patience. */
const BUSY = /^(53\w{3}|40001|40P01)$/;
const DISK_FULL = /^(ENOSPC|EDQUOT|53100)$/;

/**
 * Runs an activity's body and turns what it throws into what Temporal should do about it: users' errors and broken state
 * end the run at once with their one line; a server that is away is waited for; the rest is tried a few times.
 */
export async function failingClearly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error, countUnforeseenEnd);
  }
}

/** @param unforeseenEnds - Called for what nobody foresaw alone: how many attempts at the activity ended so, this one included. */
export function toFailure(error: unknown, unforeseenEnds: () => number): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof ToolsampleError) {
    const failure = ApplicationFailure.create({
      message: error.message,
      type: error.code,
      nonRetryable: !error.retryable,
      details: [error.location],
    });
    failure.stack = stackOf(error, error.message);
    return failure;
  }
  const chain = errorChain(error);
  const codes = chain.map((each) => ('code' in each ? String(each.code) : ''));
  // The innermost says what happened.
  const message = chain.length > 0 ? errorLine(chain.at(-1)) : errorReport(error).message;
  const diskFull = codes.some((code) => DISK_FULL.test(code));
  const away = isLostConnection(error) || codes.some((code) => BUSY.test(code));
  const failure = diskFull
    ? ApplicationFailure.create({
        message: `no space left on the disk — free some, then resume the run`,
        type: 'disk-full',
      })
    : ApplicationFailure.create({
        message: away ? `a service does not answer: ${message}` : message,
        type: away ? 'service' : error instanceof Error ? error.name : 'Error',
        nonRetryable: !away && unforeseenEnds() >= UNFORESEEN_ATTEMPTS,
      });
  failure.stack = stackOf(error, message);
  return failure;
}

/**
 * Where it came from. The error itself is no cause of the failure: Temporal would keep its message and stack, and a query's repeat all
 * of its parameters.
 */
function stackOf(error: unknown, line: string): string {
  return [line, ...errorFrames(error)].join('\n');
}
