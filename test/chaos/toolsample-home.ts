import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectToolsample, type ToolsampleClient } from '../../client.ts';
import { inspectServices, removeDataFolder } from '../../services/services.ts';
import { PROGRAM } from '../program.ts';

/** Without the machine's own services: the test's are of its data folder. */
export const OWN_ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(DATABASE_URL|TEMPORAL_|TOOLSAMPLE_)/.test(name),
  ),
);

export interface WorkerChild {
  readonly pid: number;
  /** SIGSTOP: alive for the kernel, dead for everyone else. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** SIGKILL: no chance to tidy up. */
  kill(): Promise<void>;
  /** Waits until it ends by itself; returns the exit code. */
  ended(): Promise<number | null>;
  /** @param signal Default: SIGTERM. @returns the exit code */
  terminate(signal?: 'SIGTERM' | 'SIGHUP'): Promise<number | null>;
}

export interface Home {
  readonly path: string;
  /**
   * `toolsample worker`, a process of its own; its log is `worker.log`.
   * @param environment Beyond the test's own.
   * @param flags Beyond `--home`; one that is given again wins.
   */
  startWorker(environment?: Readonly<Record<string, string>>, ...flags: string[]): WorkerChild;
  /** SIGKILL for servers. */
  killServices(...names: readonly ('postgres' | 'temporal')[]): Promise<void>;
  /** Ends everything and removes the folder. */
  remove(): Promise<void>;
}

async function killWorker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** A data folder of its own, with processes that a test may kill. */
export async function createHome(name: string): Promise<Home> {
  const path = await mkdtemp(join(tmpdir(), `toolsample-${name}-`));
  const workers: ChildProcess[] = [];
  return {
    path,
    startWorker(environment = {}, ...flags) {
      const child = spawn(process.execPath, [PROGRAM, 'worker', '--home', path, ...flags], {
        env: { ...OWN_ENVIRONMENT, ...environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const log = createWriteStream(join(path, 'worker.log'), { flags: 'a' });
      // The disk may be full.
      log.on('error', () => undefined);
      child.stderr.pipe(log);
      workers.push(child);
      return {
        pid: child.pid ?? 0,
        freeze: () => void child.kill('SIGSTOP'),
        thaw: () => void child.kill('SIGCONT'),
        kill: async () => killWorker(child),
        ended: async () => {
          if (child.exitCode === null) await once(child, 'exit');
          return child.exitCode;
        },
        terminate: async (signal = 'SIGTERM') => {
          const ended = once(child, 'exit');
          child.kill(signal);
          await ended;
          return child.exitCode;
        },
      };
    },
    async killServices(...names) {
      const state = await inspectServices({ home: path, env: OWN_ENVIRONMENT });
      for (const name of names) {
        const { pid } = state[name];
        if (pid === null) throw new Error(`${name} should be killed, but does not run`);
        process.kill(pid, 'SIGKILL');
      }
    },
    async remove() {
      for (const child of workers) await killWorker(child);
      await removeDataFolder(path);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** A data folder with its servers running, and a client of it. */
export interface ServedHome extends Home {
  readonly toolsample: ToolsampleClient;
}

/** `remove` closes the client, too. */
export async function createServedHome(name: string): Promise<ServedHome> {
  const home = await createHome(name);
  const toolsample = await connectToolsample({ home: home.path });
  return {
    ...home,
    toolsample,
    async remove() {
      await toolsample.close();
      await home.remove();
    },
  };
}
