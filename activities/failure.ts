import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { ToolsampleError } from '../contracts/errors.ts';

/** What we did not foresee is tried so often; a flaw of ours does not heal, a hiccup of the machine may. */
const UNFORESEEN_ATTEMPTS = 3;

/** Codes by which Node and Postgres say that a server is away: worth the workflow's whole patience. */
const AWAY =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|08\w{3}|57P0[123]|53\w{3}|40001|40P01)$/;
const AWAY_MESSAGE =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect/i;
const DISK_FULL = /^(ENOSPC|EDQUOT|53100)$/;

/**
 * Runs an activity's body and turns what it throws into what Temporal should do about it: users' errors and broken state
 * end the run at once with their one line; a server that is away is waited for; the rest is tried a few times.
 */
export async function failingClearly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error, Context.current().info.attempt);
  }
}

/** @param attempt - 1-based attempt of the activity. */
export function toFailure(error: unknown, attempt: number): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof ToolsampleError) {
    const failure = ApplicationFailure.create({
      message: error.message,
      type: error.code,
      nonRetryable: !error.retryable,
      details: [error.location],
    });
    // Where it came from; as a cause it would say the same line twice.
    if (error.stack !== undefined) failure.stack = error.stack;
    return failure;
  }
  const chain = causes(error);
  const codes = chain.map((each) => ('code' in each ? String(each.code) : ''));
  // A query's own message repeats the whole statement; its cause says what happened.
  const message = (chain.at(-1)?.message ?? String(error)).split('\n', 1)[0] ?? '';
  const cause = error instanceof Error ? error : undefined;
  if (codes.some((code) => DISK_FULL.test(code))) {
    return ApplicationFailure.create({
      message: `no space left on the disk — free some, then resume the run`,
      type: 'disk-full',
      ...(cause === undefined ? {} : { cause }),
    });
  }
  const away = codes.some((code) => AWAY.test(code)) || AWAY_MESSAGE.test(message);
  return ApplicationFailure.create({
    message: away ? `a service does not answer: ${message}` : message,
    type: away ? 'service' : (cause?.name ?? 'Error'),
    nonRetryable: !away && attempt >= UNFORESEEN_ATTEMPTS,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The error and its causes, outermost first. */
function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let current = error;
  while (current instanceof Error && !chain.includes(current)) {
    chain.push(current);
    // Several addresses of one host fail together; any of them tells why.
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return chain;
}
