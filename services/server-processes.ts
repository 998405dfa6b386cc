import type { StopAttempt } from './process.ts';

/** How a server of ours is told from all other processes, and how it is stopped. */
export interface ServerProcess {
  /** What its command line holds; see `isRunning`. @param data where its data lay when it was started */
  readonly marks: (data: string) => readonly string[];
  readonly attempts: readonly StopAttempt[];
}

/** `data`: the cluster's folder. */
export const POSTMASTER: ServerProcess = {
  marks: (data) => ['postgres', data],
  attempts: [
    { signal: 'SIGINT', milliseconds: 30_000 },
    { signal: 'SIGQUIT', milliseconds: 5_000 },
    { signal: 'SIGKILL', milliseconds: 5_000 },
  ],
};

/** `data`: the database's file. */
export const DEV_SERVER: ServerProcess = {
  marks: (data) => ['start-dev', data],
  attempts: [
    { signal: 'SIGTERM', milliseconds: 10_000 },
    { signal: 'SIGKILL', milliseconds: 5_000 },
  ],
};
