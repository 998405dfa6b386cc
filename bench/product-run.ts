import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectToolsample, type ToolsampleClient } from '../client.ts';
import { startWorkerProcess, type WorkerProcess } from '../cli/worker-process.ts';
import type { RunConfig } from '../contracts/config.ts';
import { removeDataFolder } from '../services/services.ts';

/** The product in a data folder of its own: embedded services, a worker process, a client. */
export interface ScratchProduct {
  readonly client: ToolsampleClient;
  readonly folder: string;
  /** What it took until the services answered and the worker was under way. */
  readonly startSeconds: number;
  /** @throws Error while no worker runs */
  readonly workerPid: () => number;
  /** Stops everything and removes the folder. */
  readonly close: () => Promise<void>;
}

export interface ProductRun {
  /** From the request to the run's last commit. */
  readonly seconds: number;
  readonly policySha256: string;
  /** Steps that changed the policy. */
  readonly updates: number;
}

const WORKER_STOP_MILLISECONDS = 20_000;

/** Starts the product as `npm start` does, on embedded services whatever servers the environment names. */
export async function startScratchProduct(log: (message: string) => void): Promise<ScratchProduct> {
  for (const name of Object.keys(process.env)) {
    if (/^(TEMPORAL_|DATABASE_URL$|TOOLSAMPLE_)/.test(name))
      Reflect.deleteProperty(process.env, name);
  }
  const root = await mkdtemp(join(tmpdir(), 'toolsample-bench-'));
  // Root's Postgres runs as another user, who has to get through.
  await chmod(root, 0o711);
  const home = join(root, 'home');
  let client: ToolsampleClient | undefined;
  let worker: WorkerProcess | undefined;
  const close = async (): Promise<void> => {
    await worker?.stop(WORKER_STOP_MILLISECONDS);
    await client?.close();
    await removeDataFolder(home);
    await rm(root, { recursive: true, force: true });
  };
  try {
    const started = performance.now();
    client = await connectToolsample({ home, log });
    const { folder } = client.services;
    const running = startWorkerProcess({ home: folder.home, logs: folder.logs, onRestart: log });
    worker = running;
    const workerPid = (): number => {
      const pid = running.pid();
      if (pid === undefined) throw new Error('no worker runs');
      return pid;
    };
    const startSeconds = (performance.now() - started) / 1000;
    return { client, folder: root, startSeconds, workerPid, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One run through the client, to its end. @throws Error when it does not complete */
export async function runProduct(
  { client }: ScratchProduct,
  config: RunConfig,
  name: string,
): Promise<ProductRun> {
  const started = Date.now();
  const { run } = await client.startRun({ run: name, config: { ...config } });
  const { state, reason, finishedAt, policySha256 } = await client.waitFor(run);
  if (state !== 'completed' || finishedAt === null || policySha256 === null) {
    throw new Error(`run ${run} ended ${state}: ${reason ?? 'no reason given'}`);
  }
  const steps = await client.steps(run);
  return {
    // The end as it was committed: waiting polls, and would see it later.
    seconds: (Date.parse(finishedAt) - started) / 1000,
    policySha256,
    updates: steps.filter(({ loss }) => loss !== null).length,
  };
}
