import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ensureServices } from '../../services/services.ts';
import { inTheMiddleOf } from './activity-history.ts';
import { createFaultHome, type FaultHome } from './fault-home.ts';
import { differences, type Outcome } from './outcome.ts';
import { startProxy, type Proxy } from './proxy.ts';

const MINUTES = 60_000;
const OUTAGE_MS = 30_000;

/** The worker's way to its servers, which may be interrupted. */
interface Network {
  readonly environment: Readonly<Record<string, string>>;
  readonly proxies: readonly Proxy[];
}

async function networkOf({ databaseUrl, toolsample }: FaultHome): Promise<Network> {
  const database = new URL(databaseUrl);
  const { address, taskQueue } = toolsample.services.temporal;
  const postgres = await startProxy(Number(database.port));
  const temporal = await startProxy(Number(address.split(':')[1]));
  database.port = String(postgres.port);
  return {
    proxies: [postgres, temporal],
    environment: {
      DATABASE_URL: database.href,
      TEMPORAL_ADDRESS: `127.0.0.1:${temporal.port}`,
      TOOLSAMPLE_TASK_QUEUE: taskQueue,
    },
  };
}

// Side by side, in data folders of their own: most of the time is spent waiting.
describe('a network that is away for half a minute', { timeout: 5 * MINUTES }, () => {
  it.concurrent.each([
    ['cut', 'rollout'],
    ['silence', 'gradientStep'],
  ] as const)('(%s, in %s) costs time and nothing else', async (kind, activity) => {
    const home = await createFaultHome(kind);
    const { environment, proxies } = await networkOf(home);
    try {
      const calm = await home.calm();
      const run = `${kind}-in-${activity}`;
      const worker = home.startWorker(environment);
      const epoch = await home.start(run);
      await inTheMiddleOf(home.toolsample, epoch, activity);
      for (const proxy of proxies) proxy[kind]();
      await sleep(OUTAGE_MS);
      expect((await home.toolsample.status(run)).state).toBe('running');
      for (const proxy of proxies) proxy.restore();
      expect((await home.end(run)).state).toBe('completed');
      // The same process, all the time.
      expect(await worker.terminate()).toBe(0);
      expect(differences(calm, await home.outcome(run))).toEqual([]);
    } finally {
      for (const proxy of proxies) await proxy.close();
      await home.remove();
    }
  });
});

describe('a database that dies in the middle of a transaction', { timeout: 5 * MINUTES }, () => {
  let home: FaultHome;
  let calm: Outcome;
  beforeAll(async () => {
    home = await createFaultHome('transaction');
    calm = await home.calm();
  }, 5 * MINUTES);
  afterAll(async () => home.remove(), MINUTES);

  it('has the commit made once, by the next attempt', async () => {
    const run = 'broken-transaction';
    const worker = home.startWorker();
    const epoch = await home.start(run);
    await inTheMiddleOf(home.toolsample, epoch, 'gradientStep');
    // The commit has begun, and waits for the row that somebody else holds.
    const holder = new Client({ connectionString: home.databaseUrl });
    holder.on('error', () => undefined);
    await holder.connect();
    await holder.query('begin');
    await holder.query('select from steps where run = $1 and step = 1 for update', [run]);
    await vi.waitUntil(
      async () => {
        const { rows } = await holder.query('select from pg_locks where not granted');
        return rows.length > 0;
      },
      { timeout: MINUTES, interval: 50 },
    );
    await home.killServices('postgres');
    await holder.end().catch(() => undefined);
    await ensureServices({ home: home.path });
    expect((await home.end(run)).state).toBe('completed');
    await worker.terminate();
    expect(differences(calm, await home.outcome(run))).toEqual([]);
  });
});
