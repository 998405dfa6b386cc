import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineAttempt } from './engine-attempts.ts';
import type { Target } from './kill-plan.ts';

const LOOK_EVERY_MS = 100;

/** Processes that were killed at one instant. */
export interface Hit {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly targets: readonly Target[];
}

/** What a hit cost. */
export interface Cost {
  readonly targets: readonly Target[];
  /** The activity that was computing, and for how long: what has to be done again at most. */
  readonly lost: { readonly activity: EngineAttempt['activity']; readonly seconds: number } | null;
  /** Until an attempt began after it; null when the next hit came first, or the run's end. */
  readonly secondsUntilComputing: number | null;
}

export interface RecoveryClock {
  /** Resolves once an attempt has begun since (milliseconds since 1970), or the signal comes. */
  computingSince(since: number, signal: AbortSignal): Promise<void>;
  /** The costs of these hits, in their order. */
  costs(hits: readonly Hit[]): Cost[];
  stop(): Promise<void>;
}

/** Watches from outside what the policy engine does, so that what a kill costs can be told afterwards. */
export function startRecoveryClock(underWay: () => Promise<EngineAttempt | null>): RecoveryClock {
  const seen: { readonly at: number; readonly attempt: EngineAttempt | null }[] = [];
  const stopped = new AbortController();
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const at = Date.now();
      seen.push({ at, attempt: await underWay() });
      await sleep(LOOK_EVERY_MS);
    }
  };
  const watching = watch();
  const begunAfter = (at: number): EngineAttempt | null =>
    seen.find(({ attempt }) => attempt !== null && attempt.startedAt > at)?.attempt ?? null;
  return {
    async computingSince(since, signal) {
      while (!signal.aborted && begunAfter(since) === null) await sleep(LOOK_EVERY_MS);
    },
    costs: (hits) =>
      hits.map(({ at, targets }, index) => {
        const before = seen.findLast((each) => each.at <= at)?.attempt ?? null;
        const next = hits[index + 1]?.at ?? Infinity;
        const begun = begunAfter(at)?.startedAt ?? Infinity;
        return {
          targets,
          lost:
            before === null
              ? null
              : { activity: before.activity, seconds: (at - before.startedAt) / 1000 },
          secondsUntilComputing: begun < next ? (begun - at) / 1000 : null,
        };
      }),
    async stop() {
      stopped.abort();
      await watching;
    },
  };
}
