import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/connection.ts';
import { runPulses } from '../../db/run-pulse.ts';

/** What those who watch are told. */
export type News =
  /** There is something new of these runs; also of one that was not there before. */
  | { readonly kind: 'changed'; readonly runs: readonly string[] }
  /** The database does not answer; what is shown may be old. */
  | { readonly kind: 'trouble' }
  /** It answers. */
  | { readonly kind: 'well' };

export interface LiveUpdates {
  /** Tells how the database is at once, and then what happens, until the returned function is called. */
  watch(listener: (news: News) => void): () => void;
  /** Ends all watching. */
  stop(): Promise<void>;
}

const INTERVAL_MILLISECONDS = 1_000;
/** While the database is away, asking it often helps nobody. */
const TROUBLE_MILLISECONDS = 3_000;

/**
 * Watches all runs of a database for whoever asks. One small query a second, and none while nobody watches: beside a run on two
 * cores it must not be felt.
 */
export function liveUpdates(
  db: Database,
  { intervalMs = INTERVAL_MILLISECONDS }: { readonly intervalMs?: number } = {},
): LiveUpdates {
  const listeners = new Set<(news: News) => void>();
  const stopped = new AbortController();
  let pulses: ReadonlyMap<string, string> | null = null;
  let well = true;
  let watching: Promise<void> | null = null;

  const tell = (news: News): void => {
    for (const listener of listeners) listener(news);
  };
  const look = async (): Promise<void> => {
    try {
      const now = await runPulses(db);
      if (!well) {
        well = true;
        tell({ kind: 'well' });
      }
      const before = pulses;
      pulses = now;
      if (before === null) return;
      const runs = [...now].filter(([run, pulse]) => before.get(run) !== pulse).map(([run]) => run);
      if (runs.length > 0) tell({ kind: 'changed', runs });
    } catch {
      if (well) tell({ kind: 'trouble' });
      well = false;
    }
  };
  const keepLooking = async (): Promise<void> => {
    while (listeners.size > 0 && !stopped.signal.aborted) {
      await look();
      const pause = well ? intervalMs : Math.max(intervalMs, TROUBLE_MILLISECONDS);
      await sleep(pause, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
    // Whoever comes next has just read everything: only what changes from then on is news.
    pulses = null;
    watching = null;
  };

  return {
    watch(listener) {
      listeners.add(listener);
      listener({ kind: well ? 'well' : 'trouble' });
      watching ??= keepLooking();
      return () => {
        listeners.delete(listener);
      };
    },
    async stop() {
      stopped.abort();
      listeners.clear();
      await watching;
    },
  };
}
