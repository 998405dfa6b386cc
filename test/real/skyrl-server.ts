import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../services/ports.ts';

/** The virtual environment that docs/tinker.md tells how to prepare; only who names it has these minutes. */
const ENVIRONMENT = process.env['TOOLSAMPLE_SKYRL'] ?? '';
const PYTHON = join(ENVIRONMENT, 'bin', 'python');
const UV = join(ENVIRONMENT, 'bin', 'uv');
const START_MS = 300_000;
const STARTED = 'Initialized TinkerEngine';

/** Whether SkyRL is at hand. */
export const SKYRL_AT_HAND = ENVIRONMENT !== '' && existsSync(PYTHON) && existsSync(UV);

export async function skyrlVersion(): Promise<string> {
  const script = 'import importlib.metadata as m; print(m.version("skyrl"))';
  return (await promisify(execFile)(PYTHON, ['-c', script])).stdout.trim();
}

export interface SkyrlOptions {
  /** A Hugging Face folder. */
  readonly model: string;
  /** Its database, checkpoints and log; what is there is gone on with. */
  readonly folder: string;
  readonly port?: number;
}

export interface SkyrlServer {
  readonly url: string;
  readonly port: number;
  /** SIGKILL to all of its processes: its own end would wait for requests that it holds back. */
  kill(): Promise<void>;
}

/** A real training service on this machine: SkyRL's, with JAX on the CPU. */
export async function startSkyrl({
  model,
  folder,
  port: asked,
}: SkyrlOptions): Promise<SkyrlServer> {
  await mkdir(folder, { recursive: true });
  const port = asked ?? (await freePort(folder, new Set()));
  const logFile = join(folder, 'server.log');
  const log = await open(logFile, 'w');
  const backend = { max_lora_adapters: 4, max_lora_rank: 16 };
  // Its engine is started as it was itself: through uv.
  const child = spawn(
    UV,
    [
      'run',
      '--no-project',
      '--offline',
      `--python=${PYTHON}`,
      '-m',
      'skyrl.tinker.api',
      '--host=127.0.0.1',
      `--port=${port}`,
      `--base-model=${model}`,
      '--backend=jax',
      `--backend-config=${JSON.stringify(backend)}`,
      `--checkpoints-base=${join(folder, 'checkpoints')}`,
      `--database-url=sqlite:///${join(folder, 'tinker.db')}`,
    ],
    {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: {
        ...process.env,
        PATH: `${join(ENVIRONMENT, 'bin')}:${process.env['PATH'] ?? ''}`,
        VIRTUAL_ENV: ENVIRONMENT,
        JAX_PLATFORMS: 'cpu',
        HF_HUB_OFFLINE: '1',
      },
    },
  );
  await log.close();
  const url = `http://127.0.0.1:${port}`;
  const kill = async (): Promise<void> => {
    if (gone(child)) return;
    const exit = once(child, 'exit');
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await exit;
  };
  for (const until = Date.now() + START_MS; ;) {
    if (gone(child) || Date.now() > until) {
      await kill();
      const text = await readFile(logFile, 'utf8');
      throw new Error(`SkyRL did not start:\n${text.slice(-2000)}`);
    }
    // It answers before its engine is there.
    if ((await readFile(logFile, 'utf8')).includes(STARTED)) break;
    await sleep(500);
  }
  return {
    url,
    port,
    kill,
  };
}

function gone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
