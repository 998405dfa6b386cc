import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTo, createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toFailure } from '../../activities/failure.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { lockArtifactReferences } from '../../db/artifact-references.ts';
import { connect, type Connection, type Database } from '../../db/connection.ts';
import { lockRun, readRun } from '../../db/runs.ts';
import { runs } from '../../db/schema/runs.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const SILENCE_MS = 2_000;
const HOLDER = fileURLToPath(new URL('support/holding-transaction.ts', import.meta.url));

const server = scratchServer();
let url: string;
let connection: Connection;
beforeAll(async () => {
  url = await server.migratedDatabase();
  connection = connect(url, { silenceMs: SILENCE_MS });
  await scratchRun(connection.db, 'run', scratchSamples(8), {});
});
afterAll(async () => connection.close());

async function backend(db: Database): Promise<number> {
  const { rows } = await db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
  return rows[0]?.pid ?? 0;
}

async function terminate(pid: number): Promise<void> {
  await connection.pool.query('select pg_terminate_backend($1, 5000)', [pid]);
}

async function limit(db: Database): Promise<unknown> {
  return (await db.execute(sql`show idle_in_transaction_session_timeout`)).rows[0];
}

/** What an activity's ninth attempt makes of it. */
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => toFailure(error, () => 9),
  );
}

const AWAY = { type: 'service', nonRetryable: false };

describe('a transaction', { timeout: 60_000 }, () => {
  it('of a frozen process gives its locks up, and fails when it thaws', async () => {
    const child = fork(HOLDER, [url, 'run', String(SILENCE_MS)], {
      execArgv: ['--import', 'tsx'],
    });
    try {
      expect((await once(child, 'message'))[0]).toEqual({ held: true });
      child.kill('SIGSTOP');
      const begun = performance.now();
      await connection.db.transaction(async (tx) => {
        await lockArtifactReferences(tx);
        await lockRun(tx, 'run');
        await tx.update(runs).set({ reason: 'of the successor' }).where(eq(runs.run, 'run'));
      });
      expect(performance.now() - begun).toBeLessThan(SILENCE_MS + 10_000);
      child.send('go on');
      child.kill('SIGCONT');
      expect((await once(child, 'message'))[0]).toMatchObject({ failure: AWAY });
      await once(child, 'exit');
    } finally {
      child.kill('SIGKILL');
    }
    expect((await readRun(connection.db, 'run')).reason).toBe('of the successor');
  });

  it('may take longer than that where its process lives', async () => {
    await connection.db.transaction(async (tx) => {
      await lockRun(tx, 'run');
      await sleep(2 * SILENCE_MS);
      await tx.update(runs).set({ reason: 'slow' }).where(eq(runs.run, 'run'));
    });
    expect((await readRun(connection.db, 'run')).reason).toBe('slow');
  });

  it('leaves nothing behind in its session', async () => {
    const single = connect(url, { connections: 1, silenceMs: SILENCE_MS });
    const within = await single.db.transaction(limit);
    expect(within).toEqual({ idle_in_transaction_session_timeout: '2s' });
    expect(await limit(single.db)).toEqual({ idle_in_transaction_session_timeout: '0' });
    await single.close();
  });

  it('whose connection is lost is tried again, whatever the attempt', async () => {
    const single = connect(url, { connections: 1 });
    const lost = single.db.transaction(async (tx) => {
      await terminate(await backend(tx));
      await tx.execute(sql`select 1`);
    });
    expect(await failureOf(lost)).toMatchObject(AWAY);
    // The only connection of the pool is another one by now.
    expect(await single.db.transaction(backend)).toBeGreaterThan(0);
    await single.close();
  });

  it('tells why there had to be a rollback, also where that fails', async () => {
    const refused = new ToolsampleError('config', 'is odd');
    const lost = connection.db.transaction(async (tx) => {
      await terminate(await backend(tx));
      throw refused;
    });
    await expect(lost).rejects.toBe(refused);
  });

  it('that cannot begin gives its connection back', async () => {
    const single = connect(url, { connections: 1, timeoutMs: 3000 });
    single.pool.once('acquire', (client) => {
      (
        client as unknown as { connection: { stream: { destroy(): void } } }
      ).connection.stream.destroy();
    });
    expect(await failureOf(single.db.transaction(backend))).toMatchObject(AWAY);
    expect(await single.db.transaction(backend)).toBeGreaterThan(0);
    await single.close();
  });

  it('has a connection that notices when the other machine is gone', async () => {
    const { rows } = await connection.db.execute(
      sql`select name, setting from pg_settings where name like 'tcp\\_%' order by name`,
    );
    expect(rows).toEqual([
      { name: 'tcp_keepalives_count', setting: '3' },
      { name: 'tcp_keepalives_idle', setting: '30' },
      { name: 'tcp_keepalives_interval', setting: '10' },
      { name: 'tcp_user_timeout', setting: '60000' },
    ]);
  });

  it('is had through a pooler, which refuses every parameter that it does not know', async () => {
    const { port } = new URL(url);
    const pooler = createServer((near) => {
      const far = connectTo({ port: Number(port), host: '127.0.0.1' });
      near.once('data', (startup) => {
        if (/options|timeout/.test(startup.toString('latin1'))) near.destroy();
        else far.write(startup);
        near.pipe(far).pipe(near);
      });
      for (const socket of [near, far]) socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(pooler, 'listening');
    const there = new URL(url);
    there.port = String((pooler.address() as AddressInfo).port);
    const pooled = connect(there.href, { silenceMs: SILENCE_MS });
    expect(await pooled.db.transaction(limit)).toEqual({
      idle_in_transaction_session_timeout: '2s',
    });
    await pooled.close();
    pooler.close();
  });
});
