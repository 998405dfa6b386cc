import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '../../contracts/temporal.ts';

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

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
  const port = await freePort();
  const attributes = Object.values(SEARCH_ATTRIBUTES).flatMap(({ name, type }) => [
    '--search-attribute',
    `${name}=${type[0]}${type.slice(1).toLowerCase()}`,
  ]);
  const server = spawn(
    '/tmp/wf/temporal/bin/temporal',
    [
      'server',
      'start-dev',
      '--ip',
      '127.0.0.1',
      '--port',
      String(port),
      '--headless',
      ...attributes,
      ...extraArguments,
    ],
    { stdio: 'ignore' },
  );
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
    },
  };
}
