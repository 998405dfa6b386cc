import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { RunState } from '../../contracts/run-status.ts';
import { withClient } from '../../services/postgres/connection.ts';
import { inspectServices, removeDataFolder } from '../../services/services.ts';
import { PROGRAM } from '../program.ts';
import type { Target } from './kill-plan.ts';
import { runningProcesses } from './processes.ts';
import { OWN_ENVIRONMENT } from './toolsample-home.ts';

/** Its id. */
export const RUN = 'chaos';
const LOOK_EVERY_MS = 200;
/** More of them means that something dies by itself. */
const MAX_STARTS = 100;

/**
 * A run as a user has it: the command, the worker that it started, the data folder's servers; and somebody who starts again
 * what is gone: `toolsample up` for a server, `toolsample resume` (or the same `train` as before) for the command.
 */
export interface SupervisedRun {
  readonly home: string;
  /** SIGKILL, all at once. @returns those of the targets that were there to be hit */
  hit(targets: readonly Target[]): Promise<Target[]>;
  /** Resolves once the run has completed, rejects when nothing can bring it there. */
  readonly completed: Promise<{ readonly starts: number }>;
  /** Kills the command and the worker. The folder and its servers stay. */
  halt(): Promise<void>;
  /** Halts, and removes all. */
  remove(): Promise<void>;
}

/** @param name of the data folder, for whoever finds it */
export async function superviseRun(name: string, config: RunConfigInput): Promise<SupervisedRun> {
  const root = await mkdtemp(join(tmpdir(), `toolsample-${name}-`));
  // Root's Postgres runs as another user, who has to get through.
  await chmod(root, 0o711);
  const home = join(root, 'home');
  const file = join(root, 'config.json');
  await writeFile(file, JSON.stringify(config));
  const log = createWriteStream(join(root, 'commands.log'), { flags: 'a' });
  const halted = new AbortController();
  let command: ChildProcess | null = null;

  const start = (args: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [PROGRAM, ...args, '--home', home], {
      env: OWN_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    log.write(`$ toolsample ${args.join(' ')}\n`);
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    return child;
  };

  const supervise = async (): Promise<{ readonly starts: number }> => {
    for (let starts = 0; starts < MAX_STARTS && !halted.signal.aborted;) {
      const { postgres, temporal } = await inspectServices({ home, env: OWN_ENVIRONMENT });
      if (starts > 0 && (postgres.state !== 'running' || temporal.state !== 'running')) {
        await hasEnded(start(['up']));
      } else if (command === null || gone(command)) {
        const state = postgres.url === null ? null : await stateOfRun(postgres.url);
        if (state === 'completed') return { starts };
        command = start(
          state === null ? ['train', '--name', RUN, '--config', file] : ['resume', RUN],
        );
        starts += 1;
      }
      await sleep(LOOK_EVERY_MS);
    }
    throw new Error(
      halted.signal.aborted ? 'halted' : `not completed after ${MAX_STARTS} starts; see ${root}`,
    );
  };

  const workers = async (): Promise<number[]> =>
    (await runningProcesses())
      .filter((each) => each.command.includes(`toolsample.js worker --home ${home}`))
      .map(({ pid }) => pid);

  const halt = async (): Promise<void> => {
    halted.abort();
    if (command !== null && !gone(command)) kill(command.pid);
    for (const pid of await workers()) kill(pid);
    await completed.catch(() => undefined);
  };

  const completed = supervise();
  completed.catch(() => undefined);
  return {
    home,
    completed,
    async hit(targets) {
      const { postgres, temporal } = await inspectServices({ home, env: OWN_ENVIRONMENT });
      const ids: Readonly<Record<Target, readonly number[]>> = {
        worker: targets.includes('worker') ? await workers() : [],
        postgres: postgres.pid === null ? [] : [postgres.pid],
        temporal: temporal.pid === null ? [] : [temporal.pid],
        cli: command === null || gone(command) ? [] : [command.pid ?? 0],
      };
      return targets.filter((target) => ids[target].map(kill).includes(true));
    },
    halt,
    async remove() {
      await halt();
      await removeDataFolder(home);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Null before the run is prepared, and when the database cannot tell now. */
async function stateOfRun(databaseUrl: string): Promise<RunState | null> {
  try {
    const { rows } = await withClient(databaseUrl, async (client) =>
      client.query<{ state: RunState }>('select state from runs where run = $1', [RUN]),
    );
    return rows[0]?.state ?? null;
  } catch {
    return null;
  }
}

/** @returns whether there was somebody to kill */
function kill(pid: number | undefined): boolean {
  try {
    return pid !== undefined && pid > 0 && process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

function gone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function hasEnded(child: ChildProcess): Promise<void> {
  if (!gone(child)) await once(child, 'exit');
}
