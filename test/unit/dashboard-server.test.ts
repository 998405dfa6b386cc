import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordOutcome } from '../../activities/record-outcome.ts';
import { liveUpdates, type News } from '../../dashboard/server/live-updates.ts';
import { serveDashboard, type Dashboard } from '../../dashboard/server/serve.ts';
import { connect, type Connection } from '../../db/connection.ts';
import { isLostConnection } from '../../services/lost-connection.ts';
import { startProxy } from '../chaos/proxy.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import { takeStep } from './support/scratch-steps.ts';

const server = scratchServer();
let url: string;
let connection: Connection;
let dashboard: Dashboard;

beforeAll(async () => {
  url = await server.migratedDatabase();
  connection = connect(url);
  await scratchRun(connection.db, 'a run/of mine', scratchSamples(12), {
    trainBatchSize: 4,
    numGenerations: 8,
    evalSchedule: 'none',
  });
  await takeStep(connection, { run: 'a run/of mine', epoch: 1, step: 1 }, 8);
  dashboard = await serveDashboard({ databaseUrl: url, folderId: 'test' });
}, 240_000);
afterAll(async () => {
  await dashboard.close();
  await connection.close();
});

interface Reply {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

async function ask(path: string, options: { method?: string; host?: string } = {}): Promise<Reply> {
  const { hostname, port } = new URL(dashboard.address);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        hostname,
        port,
        path,
        method: options.method ?? 'GET',
        headers: options.host === undefined ? {} : { host: options.host },
      },
      (response) => {
        let body = '';
        response.on('data', (part: Buffer) => {
          body += part.toString();
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        });
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

describe('who is let in', () => {
  it.each(['127.0.0.1:80', 'localhost:4711', 'LOCALHOST', '[::1]:1'])('%s', async (host) => {
    expect((await ask('/api/runs', { host })).status).toBe(200);
  });

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80', '192.168.0.7'])(
    'not %s: a page of another site that has our address under its own name',
    async (host) => {
      const { status, body } = await ask('/api/runs', { host });
      expect(status).toBe(403);
      expect(body).not.toContain('of mine');
    },
  );

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('no %s', async (method) => {
    const { status, headers } = await ask('/api/runs', { method });
    expect(status).toBe(405);
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it('listens on this machine alone', async () => {
    expect(new URL(dashboard.address).hostname).toBe('127.0.0.1');
  });

  it('says in one line when the port is taken', async () => {
    const port = Number(new URL(dashboard.address).port);
    await expect(serveDashboard({ databaseUrl: url, folderId: 'other', port })).rejects.toThrow(
      /port \d+ is taken — leave out --port to have a free one$/,
    );
  });
});

describe('what is answered', () => {
  it('forbids everything but our own script and style', async () => {
    for (const path of ['/', '/api/runs', '/nothing']) {
      const { headers } = await ask(path);
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toContain('unsafe');
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
    expect((await ask('/')).body).not.toMatch(/<script>|<style|https?:/);
  });

  it('finds runs whose id needs escaping', async () => {
    const run = `/api/runs/${encodeURIComponent('a run/of mine')}`;
    expect(JSON.parse((await ask(run)).body)).toMatchObject({ overview: { step: 1 } });
    expect(JSON.parse((await ask(`${run}/steps?after=0`)).body)).toHaveLength(1);
    expect(JSON.parse((await ask(`${run}/steps?after=1`)).body)).toEqual([]);
    const groups = JSON.parse((await ask(`${run}/steps/1/groups`)).body) as { rank: number }[];
    expect(groups.length).toBeGreaterThan(3);
    const group = await ask(`${run}/steps/1/groups/${groups[0]?.rank ?? 0}`);
    expect(JSON.parse(group.body)).toMatchObject({ base: -3 });
  });

  it.each([
    ['/api/runs/nobody', 404, /there is no run "nobody"/],
    ['/api/runs/x/steps?after=-1', 400, /no number/],
    ['/api/runs/x/steps?after=1e9', 400, /no number/],
    ['/api/runs/x/samples?order=drop', 400, /no order/],
    ['/api/runs/x/samples?limit=99999999999', 400, /no number/],
    ['/api/runs/x/steps/1/groups/first', 400, /no number/],
    ['/api/nothing', 404, /nothing here/],
    [`/api/runs/${encodeURIComponent("'; drop table runs; --")}`, 404, /there is no run/],
    ['/api/runs/%00', 404, /there is no run|nothing here/],
  ])('%s: %i', async (path, status, problem) => {
    const reply = await ask(path);
    expect([path, reply.status]).toEqual([path, status]);
    expect((JSON.parse(reply.body) as { problem: string }).problem).toMatch(problem);
  });

  it('bundles the pages, which then are one script and one style', async () => {
    const [script, style] = await Promise.all([ask('/app.js'), ask('/app.css')]);
    expect(script.body.length).toBeGreaterThan(50_000);
    expect(script.body.length).toBeLessThan(600_000);
    expect(script.headers['content-type']).toContain('text/javascript');
    expect(style.body).toContain('prefers-color-scheme');
  });
});

describe('live updates', () => {
  const EVERY = 50;

  it('tell what changes, and nothing while nothing does', async () => {
    const updates = liveUpdates(connection.db, { intervalMs: EVERY });
    const news: News[] = [];
    const release = updates.watch((each) => news.push(each));
    await new Promise((resolve) => {
      setTimeout(resolve, 6 * EVERY);
    });
    expect(news).toEqual([{ kind: 'well' }]);
    await recordOutcome(connection, { run: 'a run/of mine', state: 'paused', reason: '' });
    await expect.poll(() => news.at(-1)).toEqual({ kind: 'changed', runs: ['a run/of mine'] });
    release();
    await updates.stop();
  });

  it('tell within seconds that Postgres hangs, which keeps its connections and answers nothing', async () => {
    const proxy = await startProxy(Number(new URL(url).port));
    const proxied = new URL(url);
    proxied.port = String(proxy.port);
    const hanging = await serveDashboard({ databaseUrl: proxied.href, folderId: 'hanging' });
    const events = await fetch(`${hanging.address}api/live`);
    let told = '';
    void events.body
      ?.pipeThrough(new TextDecoderStream())
      .pipeTo(new WritableStream({ write: (part) => void (told += part) }))
      .catch(() => undefined);
    // Its connection is there once it has told of something.
    const states = ['running', 'paused'] as const;
    for (let change = 0; !told.includes('event: changed'); change++) {
      const state = states[change % 2] ?? 'running';
      await recordOutcome(connection, { run: 'a run/of mine', state, reason: '' });
      await sleep(500);
    }
    proxy.silence();
    await expect.poll(() => told, { timeout: 20_000 }).toContain('event: trouble');
    proxy.restore();
    await expect.poll(() => told, { timeout: 20_000 }).toMatch(/event: trouble[^]*event: well/);
    await hanging.close();
    await proxy.close();
  });
});

it('an answer that does not come is a lost connection, and the next query has another one', async () => {
  const impatient = connect(url, { connections: 1, queryTimeoutMs: 200, readOnly: true });
  const failure: unknown = await impatient.db.execute('select pg_sleep(5)').catch((error) => error);
  expect(isLostConnection(failure)).toBe(true);
  expect((await impatient.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await impatient.close();
});
