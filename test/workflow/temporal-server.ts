import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '../../contracts/temporal.ts';
import { openDataFolder } from '../../services/data-folder.ts';
import { freePort } from '../../services/ports.ts';
import { cliCaches, findCli } from '../../services/temporal/cli.ts';
import { PROMPT_TASKS } from '../../services/temporal/dev-server.ts';
import { fetchCli } from '../../services/temporal/fetch-cli.ts';

export interface TestServer {
  readonly address: string;
  readonly client: Client;
  readonly nativeConnection: NativeConnection;
  stop(): Promise<void>;
}

/** A real Temporal server for one test file, in memory. */
export async function startTemporalServer(
  extraArguments: readonly string[] = [],
): Promise<TestServer> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const folder = await openDataFolder(await mkdtemp(join(tmpdir(), 'toolsample-temporal-')));
  const cli =
    (await findCli(folder, process.env)) ??
    (await fetchCli(cliCaches(folder, process.env), () => undefined));
  const port = await freePort(folder.id, new Set());
  const attributes = Object.values(SEARCH_ATTRIBUTES).flatMap(({ name, type }) => [
    '--search-attribute',
    `${name}=${type[0]}${type.slice(1).toLowerCase()}`,
  ]);
  const server = spawn(
    cli.path,
    [
      'server',
      'start-dev',
      '--ip',
      '127.0.0.1',
      '--port',
      String(port),
      '--headless',
      ...attributes,
      ...PROMPT_TASKS,
      ...extraArguments,
    ],
    { stdio: 'ignore' },
  );
  // Also when a test ran out of time and nobody stops it.
  process.once('exit', () => server.kill('SIGKILL'));
  const address = `127.0.0.1:${port}`;
  let connection: Connection | undefined;
  for (let attempt = 0; connection === undefined; attempt++) {
    try {
      connection = await Connection.connect({ address, connectTimeout: 1000 });
    } catch (error) {
      if (attempt > 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const opened = connection;
  const nativeConnection = await NativeConnection.connect({ address });
  return {
    address,
    client: new Client({ connection: opened, identity: 'client' }),
    nativeConnection,
    async stop() {
      await nativeConnection.close();
      await opened.close();
      server.kill('SIGKILL');
      await rm(folder.home, { recursive: true, force: true });
    },
  };
}
