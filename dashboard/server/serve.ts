import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import { ToolsampleError } from '../../contracts/errors.ts';
import { connect } from '../../db/connection.ts';
import { freePort } from '../../services/ports.ts';
import { answersFrom } from '../data/answers.ts';
import { bundlePages, type Pages } from '../pages-bundle.ts';
import { dashboardApp } from './app.ts';
import { liveUpdates } from './live-updates.ts';

export interface DashboardOptions {
  readonly databaseUrl: string;
  /** The data folder's id: a folder's dashboard tends to get the same port again, so that an open page finds it. */
  readonly folderId: string;
  /** The port; default: a free one. */
  readonly port?: number | undefined;
}

export interface Dashboard {
  /** `http://127.0.0.1:PORT/` */
  readonly address: string;
  close(): Promise<void>;
}

/** Connections to Postgres: a page asks for a few answers at once. */
const CONNECTIONS = 3;
/** Postgres that does not answer for so long is away; the page says so. */
const CONNECTION_TIMEOUT_MS = 5_000;

/**
 * Serves the dashboard on 127.0.0.1, reading Postgres only.
 *
 * @throws ToolsampleError `config` when the port is taken
 */
export async function serveDashboard(options: DashboardOptions): Promise<Dashboard> {
  const port = options.port ?? (await freePort(`dashboard ${options.folderId}`, new Set()));
  const connection = connect(options.databaseUrl, {
    connections: CONNECTIONS,
    timeoutMs: CONNECTION_TIMEOUT_MS,
    readOnly: true,
  });
  const updates = liveUpdates(connection.db);
  let bundled: Promise<Pages> | null = null;
  const app = dashboardApp({
    answers: answersFrom(connection.db),
    updates,
    pages: async () => (bundled ??= bundlePages()),
  });
  try {
    const server = await listen(app.fetch, port);
    const { port: bound } = server.address() as AddressInfo;
    return {
      address: `http://127.0.0.1:${bound}/`,
      async close() {
        await updates.stop();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
        await connection.close();
      },
    };
  } catch (error) {
    await updates.stop();
    await connection.close();
    throw error;
  }
}

async function listen(fetch: Hono['fetch'], port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: '127.0.0.1', port }) as Server;
    server.once('listening', () => {
      // From now on a server's trouble is the page's, not that of the run that goes on beside it.
      server.on('error', () => undefined);
      resolve(server);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new ToolsampleError('config', `port ${port} is taken`, {
              hint: 'leave out --port to have a free one',
              cause: error,
            })
          : error,
      );
    });
  });
}
