import { CancelledFailure, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { EngineCallOptions, EngineProgress } from '../contracts/policy.ts';

/** Far below the heartbeat timeouts of the workflows (10 s and more). */
const BEAT_MS = 2_000;

/** No progress for so long means a hang: the largest micro-batch on the slowest machine is faster. */
const STALL_LIMIT_MS = 15 * 60_000;

/** How far the engine is in each activity under way: what its heartbeats carry, for the UI, among other things. */
const progressOf = new WeakMap<Context, EngineProgress>();

/** What a heartbeat carries, and the next attempt finds. */
interface BeatDetails extends Partial<EngineProgress> {
  /** Attempts at the activity that ended by what nobody foresaw; absent: none. */
  readonly unforeseenEnds?: number;
}

function detailsOf(context: Context, unforeseenEnds: number): BeatDetails | undefined {
  const progress = progressOf.get(context);
  return unforeseenEnds === 0 ? progress : { ...progress, unforeseenEnds };
}

/** How many attempts before this one ended by what nobody foresaw. Those that ended with their worker, or a server, do not count. */
function unforeseenBefore({ info }: Context): number {
  // Of an older version's worker they have another form, or there are none.
  const details = info.heartbeatDetails as BeatDetails | null | undefined;
  return typeof details?.unforeseenEnds === 'number' ? details.unforeseenEnds : 0;
}

/**
 * Counts the attempt under way among those that ended by what nobody foresaw, and lets the next one know: an attempt's last heartbeat
 * is sent before its failure.
 *
 * @returns how many there were, this one included
 */
export function countUnforeseenEnd(): number {
  const context = Context.current();
  const ends = unforeseenBefore(context) + 1;
  context.heartbeat(detailsOf(context, ends));
  return ends;
}

/** Beats until an activity's body ends. The main thread's timer proves that the process lives; see {@link engineCall}. */
export async function whileBeating<T>(body: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const before = unforeseenBefore(context);
  const timer = setInterval(() => {
    context.heartbeat(detailsOf(context, before));
  }, BEAT_MS);
  try {
    return await body();
  } finally {
    clearInterval(timer);
  }
}

/**
 * Runs a call of the policy engine within an activity: watches that the engine's thread makes progress, and passes the
 * activity's cancellation on to it.
 *
 * @throws CancelledFailure when the activity was cancelled
 * @throws ApplicationFailure `stalled` (retryable) when nothing moved for `stallLimitMs`; the heartbeats end with it
 */
export async function engineCall<T>(
  call: (options: Required<EngineCallOptions>) => Promise<T>,
  stallLimitMs = STALL_LIMIT_MS,
): Promise<T> {
  const context = Context.current();
  const stalled = new AbortController();
  let lastProgress = performance.now();
  const timer = setInterval(
    () => {
      if (performance.now() - lastProgress > stallLimitMs) stalled.abort();
    },
    Math.min(BEAT_MS, stallLimitMs / 4),
  );
  // An engine that hangs does not answer its signal either: the activity must not wait for it.
  const hung = new Promise<never>((_resolve, reject) => {
    stalled.signal.addEventListener('abort', () => {
      const limit = `${Math.round(stallLimitMs / 1000)} s`;
      reject(
        ApplicationFailure.retryable(`the policy engine made no progress for ${limit}`, 'stalled'),
      );
    });
  });
  const work = async (): Promise<T> =>
    call({
      signal: AbortSignal.any([context.cancellationSignal, stalled.signal]),
      onProgress: (progress) => {
        lastProgress = performance.now();
        progressOf.set(context, progress);
      },
    });
  try {
    return await Promise.race([work(), hung]);
  } catch (error) {
    if (!context.cancellationSignal.aborted) throw error;
    throw new CancelledFailure('cancelled while the policy engine worked');
  } finally {
    clearInterval(timer);
  }
}

/** For the last moment before what cannot be taken back. @throws CancelledFailure when the activity was cancelled */
export function requireUncancelled(): void {
  if (!Context.current().cancellationSignal.aborted) return;
  throw new CancelledFailure('cancelled before its commit');
}
