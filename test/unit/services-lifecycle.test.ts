import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';

import { readServiceState, updateServiceState } from '../../services/data-folder.ts';
import { isAlive, readPidFile } from '../../services/process.ts';
import { withClient } from '../../services/postgres/connection.ts';
import {
  ensureDatabaseOnly,
  ensureServices,
  inspectServices,
  stopServices,
  type Services,
} from '../../services/services.ts';
import { checkNamespace } from '../../services/temporal/connection.ts';
import type { TemporalService } from '../../services/temporal/ensure-temporal.ts';
import {
  addName,
  env,
  names,
  scratchFolders,
  serverPids,
  upInProcess,
  type ScratchFolders,
} from './support/scratch-services.ts';

const run = promisify(execFile);

let folders: ScratchFolders;
beforeAll(async () => {
  folders = await scratchFolders();
});
afterAll(async () => {
  await folders.close();
});

async function up(home: string): Promise<Services> {
  return ensureServices({ home, env, localTemporalPort: null });
}

async function withWorkflows<T>(
  temporal: Pick<TemporalService, 'connection' | 'namespace'>,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect(temporal.connection);
  try {
    return await work(new Client({ connection, namespace: temporal.namespace }));
  } finally {
    await connection.close();
  }
}

describe('two data folders side by side, one of them half-initialised', () => {
  let a: Services;
  let b: Services;
  beforeAll(async () => {
    // The first start of this one was interrupted within initdb.
    const postgres = join(folders.home('b'), 'postgres');
    await mkdir(join(postgres, 'data.new', 'base'), { recursive: true });
    await writeFile(join(postgres, 'data.new', 'PG_VERSION'), '18\n');
    await mkdir(join(postgres, 'data'));
    const [one, again, inProcess, other] = await Promise.all([
      up(folders.home('a')),
      up(folders.home('a')),
      upInProcess(folders.home('a')),
      up(folders.home('b')),
    ]);
    a = one;
    b = other;
    // Started once, whoever came first.
    for (const service of ['postgres', 'temporal'] as const) {
      const how = [one[service].how, again[service].how, inProcess[service]].sort();
      expect(how).toEqual(['adopted', 'adopted', 'started']);
    }
    expect([again.databaseUrl, inProcess.url]).toEqual([one.databaseUrl, one.databaseUrl]);
  });

  it('have servers of their own', async () => {
    const addresses = [a, b].flatMap(({ databaseUrl, temporal }) => [
      new URL(databaseUrl).port,
      temporal.address.split(':')[1],
      new URL(temporal.uiUrl ?? '').port,
    ]);
    expect(new Set(addresses).size).toBe(6);
    expect(a.temporal.taskQueue).not.toBe(b.temporal.taskQueue);
    await addName(a.databaseUrl, 'only in a');
    expect(await names(a.databaseUrl)).toContain('only in a');
    expect(await names(b.databaseUrl)).toEqual([]);
    // The password is needed, also from this machine.
    const guessed = a.databaseUrl.replace(/:[0-9a-f]+@/, ':guess@');
    await expect(names(guessed)).rejects.toMatchObject({ code: '28P01' });
  });

  it('are durable, and ordered alike on every machine', async () => {
    const settings = await withClient(a.databaseUrl, async (client) => {
      const { rows } = await client.query<Record<string, string>>(
        `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
                current_setting('listen_addresses') as listen, 'Z' < 'a' as bytewise,
                upper('é') as upper`,
      );
      return rows[0];
    });
    expect(settings).toEqual({
      fsync: 'on',
      commit: 'on',
      listen: '127.0.0.1',
      bytewise: true,
      upper: 'É',
    });
  });

  it('know the search attributes, keep history, and show the UI', async () => {
    expect(a.temporal.searchAttributes).toBe(true);
    const retention = await withWorkflows(a.temporal, async ({ connection }) => {
      const found = await connection.workflowService.describeNamespace({ namespace: 'default' });
      return Number(found.config?.workflowExecutionRetentionTtl?.seconds);
    });
    expect(retention).toBeGreaterThan(365 * 86_400);
    expect((await fetch(a.temporal.uiUrl ?? '')).status).toBe(200);
  });

  it('can serve another folder by address, without being its own', async () => {
    const home = folders.home('guest');
    const byAddress = {
      ...env,
      DATABASE_URL: a.databaseUrl,
      TEMPORAL_ADDRESS: a.temporal.address,
      TOOLSAMPLE_TASK_QUEUE: 'theirs',
    };
    const guest = await ensureServices({ home, env: byAddress });
    expect([guest.postgres.how, guest.temporal.how]).toEqual(['external', 'external']);
    expect(guest.databaseUrl).toBe(a.databaseUrl);
    expect(guest.temporal).toMatchObject({ taskQueue: 'theirs', searchAttributes: true });
    expect(await stopServices(home)).toEqual({ postgres: false, temporal: false });
    expect(await names(a.databaseUrl)).toContain('only in a');

    await expect(
      ensureServices({ home, env: { ...byAddress, TEMPORAL_NAMESPACE: 'nowhere' } }),
    ).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('"nowhere"') });

    // A server that happens to run where Temporal's usually do.
    const port = Number(a.temporal.address.split(':')[1]);
    const found = await inspectServices({ home, env, localTemporalPort: port });
    expect(found.temporal).toMatchObject({ source: 'external', address: a.temporal.address });
    expect(found.postgres.state).toBe('absent');
  });

  it('go on after kill -9 with everything that was committed', async () => {
    const { home } = a.folder;
    await addName(a.databaseUrl, 'before the kill');
    await withWorkflows(a.temporal, async (client) => {
      await client.workflow.start('trainingRun', { workflowId: 'killed', taskQueue: 'none' });
    });
    const before = await serverPids(home);
    process.kill(before.temporal, 'SIGKILL');
    process.kill(before.postgres, 'SIGKILL');

    const again = await up(home);
    expect([again.postgres.how, again.temporal.how]).toEqual(['started', 'started']);
    expect(again.databaseUrl).toBe(a.databaseUrl);
    expect(again.temporal.address).toBe(a.temporal.address);
    expect(again.temporal.uiUrl).toBe(a.temporal.uiUrl);
    expect(await names(again.databaseUrl)).toEqual(['before the kill', 'only in a']);
    const status = await withWorkflows(again.temporal, async (client) =>
      client.workflow.getHandle('killed').describe(),
    );
    expect(status.status.name).toBe('RUNNING');
    expect(await serverPids(home)).not.toEqual(before);
  });

  it('are stopped by another process than the one that started them, and start again', async () => {
    const { home } = b.folder;
    await addName(b.databaseUrl, 'kept');
    const before = await serverPids(home);
    expect(await stopServices(home)).toEqual({ postgres: true, temporal: true });
    expect(await stopServices(home)).toEqual({ postgres: false, temporal: false });
    const state = await inspectServices({ home, env, localTemporalPort: null });
    expect([state.postgres.state, state.temporal.state]).toEqual(['stopped', 'stopped']);
    expect([isAlive(before.postgres), isAlive(before.temporal)]).toEqual([false, false]);

    // Meanwhile, its ports went to others.
    const known = readServiceState(home);
    const ports = [known?.postgres?.port, known?.temporal?.port, known?.temporal?.uiPort];
    for (const port of ports) {
      const squatter = createServer().listen(port, '127.0.0.1');
      await once(squatter, 'listening');
      onTestFinished(() => {
        squatter.close();
      });
    }
    const again = await up(home);
    expect(await names(again.databaseUrl)).toEqual(['kept']);
    expect(ports).not.toContain(Number(new URL(again.databaseUrl).port));
    expect(await up(home)).toMatchObject({
      databaseUrl: again.databaseUrl,
      postgres: { how: 'adopted' },
      temporal: { how: 'adopted', address: again.temporal.address, uiUrl: again.temporal.uiUrl },
    });
  });

  it('are not fooled by pid files whose ids were reused, as after a reboot', async () => {
    const { home, temporal } = b.folder;
    await stopServices(home);
    const state = await inspectServices({ home, env, localTemporalPort: null });
    // Of Postgres's own user: Postgres itself would refuse to start.
    const account = readServiceState(home)?.postgres?.account ?? null;
    const uid = account === null ? undefined : Number((await run('id', ['-u', account])).stdout);
    const innocent = spawn('sleep', ['60'], uid === undefined ? {} : { uid });
    onTestFinished(() => {
      innocent.kill();
    });
    const port = String(state.postgres.port);
    const lines = [
      innocent.pid,
      state.postgres.folder,
      1,
      port,
      '',
      '127.0.0.1',
      '1 1',
      'ready',
      '',
    ];
    await writeFile(join(state.postgres.folder ?? '', 'postmaster.pid'), lines.join('\n'));
    await writeFile(join(temporal, 'server.pid'), `${process.pid}\n`);

    expect(await stopServices(home)).toEqual({ postgres: false, temporal: false });
    const again = await up(home);
    expect([again.postgres.how, again.temporal.how]).toEqual(['started', 'started']);
    expect(await names(again.databaseUrl)).toEqual(['kept']);
    expect(innocent.exitCode).toBeNull();
    expect(await readPidFile(join(temporal, 'server.pid'))).not.toBe(process.pid);
  });

  it("do not take another's Temporal server on the remembered ports for their own", async () => {
    const { folder } = b;
    await stopServices(folder.home);
    const theirs = readServiceState(a.folder.home)?.temporal ?? null;
    updateServiceState(folder, { temporal: theirs });
    const again = await up(folder.home);
    expect(again.temporal.how).toBe('started');
    expect(again.temporal.address).not.toBe((await up(a.folder.home)).temporal.address);
    const { temporal } = await serverPids(folder.home);
    expect(temporal).not.toBe((await serverPids(a.folder.home)).temporal);
  });
});

describe('a data folder that is moved while its services run', () => {
  it('is refused until they are stopped, and then goes on with its data', async () => {
    const [home, moved] = [folders.home('before-move'), folders.home('after-move')];
    const first = await up(home);
    await addName(first.databaseUrl, 'moved');
    const servers = await serverPids(home);
    await rename(home, moved);
    const pidFile = join(moved, 'postgres', 'data', 'postmaster.pid');
    const written = await readFile(pidFile, 'utf8');

    await expect(up(moved)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(
        new RegExp(
          `moved from ${home} .*${servers.temporal}.*${servers.postgres}.* — run toolsample down`,
        ),
      ),
    });
    expect(await readFile(pidFile, 'utf8')).toBe(written);
    expect(await stopServices(moved)).toEqual({ postgres: true, temporal: true });
    expect([isAlive(servers.postgres), isAlive(servers.temporal)]).toEqual([false, false]);

    const again = await up(moved);
    expect([again.postgres.how, again.temporal.how]).toEqual(['started', 'started']);
    expect(again.folder.id).toBe(first.folder.id);
    expect(await names(again.databaseUrl)).toEqual(['moved']);
  });

  it('leaves the servers of the original alone when it is a copy', async () => {
    const [home, copy] = [folders.home('original'), folders.home('copy')];
    const { postgres, temporal } = await up(home).then(async () => serverPids(home));
    await cp(home, copy, { recursive: true });
    expect(await stopServices(copy)).toEqual({ postgres: false, temporal: false });
    expect([isAlive(postgres), isAlive(temporal)]).toEqual([true, true]);
  });
});

describe('a Temporal server that is killed while it makes its tables', () => {
  it('makes them anew, and keeps them once it has answered', async () => {
    const home = folders.home('cut-off');
    const temporal = join(home, 'temporal');
    const [database, unfinished] = [join(temporal, 'temporal.db'), 'temporal.db.unfinished'];
    const cutOff = expect(up(home)).rejects.toMatchObject({ code: 'service' });
    await vi.waitUntil(() => existsSync(database), { timeout: 60_000, interval: 1 });
    process.kill((await readPidFile(join(temporal, 'server.pid'))) ?? 0, 'SIGKILL');
    await cutOff;
    expect(await readdir(temporal)).toContain(unfinished);

    const services = await up(home);
    expect(await readdir(temporal)).not.toContain(unfinished);
    const listed = await withWorkflows(services.temporal, async ({ workflow }) =>
      workflow.list()[Symbol.asyncIterator]().next(),
    );
    expect(listed).toMatchObject({ done: true });

    // The server was started by somebody who did not live to say that it answers.
    await writeFile(join(temporal, unfinished), '');
    expect((await up(home)).temporal.how).toBe('adopted');
    expect(await readdir(temporal)).not.toContain(unfinished);
  });
});

describe('a cluster that lacks files', () => {
  it('is explained', async () => {
    const home = folders.home('incomplete');
    await mkdir(join(home, 'postgres', 'data'), { recursive: true });
    await writeFile(join(home, 'postgres', 'data', 'PG_VERSION'), '18\n');
    await expect(ensureDatabaseOnly({ home, env })).rejects.toMatchObject({
      code: 'schema',
      message: expect.stringMatching(/postgres\/data: not a complete Postgres cluster — .+/),
    });
  });
});

describe('servers by address', () => {
  it('that refuse or do not answer are named without their password', async () => {
    const squatter = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    onTestFinished(() => {
      squatter.close();
    });
    const address = squatter.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    for (const url of [
      `postgres://me:secret-word@127.0.0.1:${address.port}/db`,
      'postgres://me:secret-word@127.0.0.1:1/db',
      'mysql://me:secret-word@127.0.0.1:1/db',
    ]) {
      const problem = await ensureDatabaseOnly({
        home: folders.home('refused'),
        env: { ...env, DATABASE_URL: url },
      }).catch((error: unknown) => String(error));
      expect(problem).toMatch(/DATABASE_URL.* — /);
      expect(problem).not.toContain('secret-word');
    }
    await expect(
      checkNamespace({ address: `127.0.0.1:${address.port}` }, 'default', {
        milliseconds: 1_000,
      }),
    ).rejects.toMatchObject({
      code: 'service',
      message: expect.stringContaining('TEMPORAL_ADDRESS'),
    });
  });
});
