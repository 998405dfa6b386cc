import { execFile, spawn } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ToolsampleError } from '../../contracts/errors.ts';
import { checkPostgres } from '../../services/diagnostics/servers.ts';
import { withClient } from '../../services/postgres/connection.ts';
import {
  ensureDatabaseOnly,
  ensureServices,
  inspectServices,
  removeDataFolder,
  type Services,
} from '../../services/services.ts';
import { env } from '../unit/support/scratch-services.ts';
import { PROGRAM } from '../program.ts';
import { listeningAddresses } from './listening.ts';
import { runningProcesses } from './processes.ts';

const RUN = 'planted';
const API_KEY = 'planted-api-key-6f1d0c';
const TINKER_KEY = 'planted-tinker-key-7be2';
const WRONG = 'planted-password-9b72';
const MINUTES = 60_000;

/** The shipped policy, two steps. */
const SETTINGS = [
  '--max-steps=2',
  '--corpus-size=16',
  '--eval-size=16',
  '--level-mix=1,0,0,0',
  '--train-batch-size=4',
  '--num-generations=4',
  '--threads=1',
];

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

let root: string;
let servers: Services;
/** Of the servers' folder: the password that DATABASE_URL holds. */
let password: string;
let home: string;
let trained: Ended;
/** Arguments of every process, read again and again while the run was under way. */
const commandLines = new Set<string>();

/** `toolsample …` in the data folder that uses the other one's servers by address. */
async function toolsample(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  folder = home,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [PROGRAM, ...args, '--home', folder],
      { env: { ...env, ...environment, TOOLSAMPLE_TASK_QUEUE: 'planted' }, timeout: 5 * MINUTES },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, output: stdout + stderr }),
    );
  });
}

function secretEnvironment(): Record<string, string> {
  return {
    DATABASE_URL: servers.databaseUrl,
    TEMPORAL_ADDRESS: servers.temporal.address,
    TEMPORAL_API_KEY: API_KEY,
    TINKER_API_KEY: TINKER_KEY,
    TEMPORAL_TLS: 'false',
  };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.path, entry.name));
}

function expectNoSecret(text: string, where: string): void {
  for (const secret of [password, API_KEY, TINKER_KEY, WRONG]) {
    if (text.includes(secret)) throw new Error(`${where} holds a secret`);
  }
}

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'toolsample-secrets-')));
  home = join(root, 'user');
  servers = await ensureServices({ home: join(root, 'servers'), env, localTemporalPort: null });
  password = new URL(servers.databaseUrl).password;
  const watch = setInterval(() => {
    void runningProcesses().then((all) => all.forEach(({ command }) => commandLines.add(command)));
  }, 200);
  trained = await toolsample(['train', '--new', '--name', RUN, ...SETTINGS], secretEnvironment());
  clearInterval(watch);
}, 6 * MINUTES);

afterAll(async () => {
  await removeDataFolder(home);
  await removeDataFolder(join(root, 'servers'));
  await rm(root, { recursive: true, force: true });
}, MINUTES);

describe('secrets', { timeout: 4 * MINUTES }, () => {
  it('are used by a run that completes', () => {
    expect(trained.output).toContain('after step 2');
    expect(trained.code).toBe(0);
  });

  it('are in nothing that is printed', async () => {
    expectNoSecret(trained.output, 'the output of train');
    for (const args of [
      ['status', RUN],
      ['up', '--json'],
    ]) {
      const { output } = await toolsample(args, secretEnvironment());
      expect(output.length).toBeGreaterThan(0);
      expectNoSecret(output, args.join(' '));
    }
  });

  it('are in no file of the data folder', async () => {
    const files = await filesBelow(home);
    expect(files.some((file) => file.endsWith('worker.log'))).toBe(true);
    for (const file of files) expectNoSecret(await readFile(file, 'latin1'), file);
  });

  it('are in no file of the servers, but for the one that keeps the password', async () => {
    const files = (await filesBelow(join(root, 'servers'))).filter(
      (file) => !file.endsWith('postgres-password'),
    );
    expect(files.some((file) => file.endsWith('temporal.db'))).toBe(true);
    for (const file of files) expectNoSecret(await readFile(file, 'latin1'), file);
  });

  it('are in no row of any table', async () => {
    await withClient(servers.databaseUrl, async (client) => {
      const { rows: tables } = await client.query<{ name: string }>(
        `select format('%I.%I', schemaname, tablename) as name from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema')`,
      );
      expect(tables.length).toBeGreaterThan(10);
      for (const { name } of tables) {
        const { rows } = await client.query<{ row: string }>(
          `select t::text as row from ${name} t`,
        );
        expectNoSecret(rows.map(({ row }) => row).join('\n'), name);
      }
    });
  });

  it('are in no history of a workflow', async () => {
    const connection = await Connection.connect({ address: servers.temporal.address });
    const { workflow } = new Client({ connection });
    let workflows = 0;
    for await (const { workflowId, runId, memo, searchAttributes } of workflow.list()) {
      const history = await workflow.getHandle(workflowId, runId).fetchHistory();
      // Payloads are bytes: as they are, they hold JSON.
      const text = JSON.stringify([history, memo, searchAttributes], (_key, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
      );
      expect(text).toContain('max');
      expectNoSecret(text, `the history of ${workflowId}`);
      workflows++;
    }
    await connection.close();
    expect(workflows).toBeGreaterThan(1);
  });

  it('are in the arguments of no process', () => {
    const all = [...commandLines].join('\n');
    expect(all).toContain('toolsample.js worker');
    expectNoSecret(all, 'the list of processes');
  });

  it.each([
    `postgres://somebody:${WRONG}@127.0.0.1:1/nothing`,
    `postgres://somebody:${WRONG}@no-such-host.invalid/nothing`,
    `postgres://somebody:${WRONG}%zz@127.0.0.1:1/nothing`,
    `postgres://somebody:${WRONG}@127.0.0.1:99999/nothing`,
    `postgres://127.0.0.1:1/nothing?user=somebody&password=${WRONG}`,
    `postgres://somebody:${WRONG}@[::1/nothing`,
    `postgres://${WRONG}:@127.0.0.1:1`.replace(`${WRONG}:`, `somebody:${WRONG}#x`),
    `mysql://somebody:${WRONG}@127.0.0.1:1/nothing`,
    `host=127.0.0.1 password=${WRONG}`,
  ])('are not in what is said of an address that does not work (%#)', async (url) => {
    const folder = join(root, 'broken');
    const given = { ...env, DATABASE_URL: url };
    const error = await ensureDatabaseOnly({ home: folder, env: given }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ToolsampleError);
    // With its causes, as a log would show it.
    expectNoSecret(inspect(error, { depth: 20, showHidden: true }), 'the error');
    const state = await inspectServices({ home: folder, env: given, localTemporalPort: null });
    const check = await checkPostgres(state, given);
    expectNoSecret(inspect(check, { depth: 20 }), 'doctor');
  });

  it('are not in what the command line says of an address that does not work', async () => {
    const folder = join(root, 'broken');
    const url = `postgres://somebody:${WRONG}@127.0.0.1:1/nothing`;
    const environment = { ...secretEnvironment(), DATABASE_URL: url };
    const { code, output } = await toolsample(['runs'], environment, folder);
    expect(code).toBe(1);
    expect(output).toContain('cannot connect');
    expectNoSecret(output, 'the output of runs');
    for (const file of await filesBelow(folder)) {
      expectNoSecret(await readFile(file, 'latin1'), file);
    }
  });
});

describe('a data folder', () => {
  it('is closed to others, file by file', async () => {
    // As root, Postgres's own user has to walk through the folder itself.
    const outer = process.getuid?.() === 0 ? 0o711 : 0o700;
    const open: string[] = [];
    for (const folder of [home, join(root, 'servers')]) {
      expect((await stat(folder)).mode & 0o777).toBe(outer);
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        const path = join(entry.path, entry.name);
        const found = await lstat(path).catch(() => null);
        if (found !== null && (found.mode & 0o077) !== 0) open.push(path);
      }
    }
    expect(open).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('has servers that listen on loopback only', async () => {
    const ports = new Map<string, number>([
      ['Postgres', Number(new URL(servers.databaseUrl).port)],
      ['Temporal', Number(servers.temporal.address.split(':')[1])],
      ['the UI', Number(new URL(servers.temporal.uiUrl ?? '').port)],
    ]);
    for (const [name, port] of ports) {
      const addresses = await listeningAddresses(port);
      expect({ name, addresses }).toEqual({ name, addresses: ['127.0.0.1'] });
    }
  });

  it.runIf(process.platform === 'linux')(
    'has a worker that listens nowhere else',
    async () => {
      const worker = spawn(process.execPath, [PROGRAM, 'worker', '--home', home], {
        env: { ...env, ...secretEnvironment(), TOOLSAMPLE_TASK_QUEUE: 'planted' },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      try {
        await new Promise((resolve) => worker.stderr.once('data', resolve));
        expect(await listeningAddresses(null, worker.pid)).toEqual([]);
      } finally {
        const ended = new Promise((resolve) => worker.once('exit', resolve));
        worker.kill('SIGTERM');
        await ended;
      }
    },
    MINUTES,
  );
});
