import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { isRunning, readPidFile, stopProcess, type StopAttempt } from './process.ts';
import { DEV_SERVER, POSTMASTER } from './server-processes.ts';

/*
 * Servers name their files by the path that the data folder had when they started. Moved while they run, the folder keeps their pid files,
 * but no server under its new path: the Temporal server then refuses every write, and another Postgres refuses to start beside the first.
 */

interface LeftServer {
  readonly service: 'Postgres' | 'Temporal';
  readonly pid: number;
  readonly pidFile: string;
  /** In its command line; see `isRunning`. */
  readonly marks: readonly string[];
  readonly attempts: readonly StopAttempt[];
}

/**
 * The servers that were started while the data folder lay at `formerHome`, and still run.
 * @param home where the folder lies now.
 */
export async function serversLeftBehind(
  home: string,
  formerHome: string,
): Promise<readonly LeftServer[]> {
  const data = join('postgres', 'data');
  const candidates = [
    {
      service: 'Temporal',
      pidFile: join(home, 'temporal', 'server.pid'),
      marks: DEV_SERVER.marks(join(formerHome, 'temporal', 'temporal.db')),
      attempts: DEV_SERVER.attempts,
    },
    {
      service: 'Postgres',
      pidFile: join(home, data, 'postmaster.pid'),
      marks: POSTMASTER.marks(join(formerHome, data)),
      // Its working directory moved with its files: it shuts down in order.
      attempts: POSTMASTER.attempts,
    },
  ] as const;
  const found: LeftServer[] = [];
  for (const candidate of candidates) {
    const pid = await readPidFile(candidate.pidFile).catch(() => null);
    if (pid !== null && (await isRunning(pid, candidate.marks))) found.push({ ...candidate, pid });
  }
  return found;
}

/** Stops them, the way they are stopped where they were started. @returns which services were running. */
export async function stopLeftBehind(
  servers: readonly LeftServer[],
): Promise<ReadonlySet<LeftServer['service']>> {
  const stopped = new Set<LeftServer['service']>();
  for (const { service, pid, pidFile, marks, attempts } of servers) {
    if ((await stopProcess(pid, marks, attempts)) !== null) stopped.add(service);
    // Postgres's own stays where it was killed: by it the next one makes sure that no orphan still writes.
    if (service === 'Temporal') await rm(pidFile, { force: true });
  }
  return stopped;
}
