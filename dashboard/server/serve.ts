import type { AddressInfo } from 'node:net';
import { connect } from '../../db/connection.ts';
import { listen } from '../../services/http-server.ts';
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
/** Postgres that does not answer for so long is away, and the page says so. What a page asks for may take longer than that. */
const AWAY_MS = 5_000;

/**
 * Serves the dashboard on 127.0.0.1, reading Postgres only.
 *
 * @throws ToolsampleError `config` when the port is taken
 */
export async function serveDashboard(options: DashboardOptions): Promise<Dashboard> {
  const port = options.port ?? (await freePort(`dashboard ${options.folderId}`, new Set()));
  const reading = connect(options.databaseUrl, {
    connections: CONNECTIONS,
    timeoutMs: AWAY_MS,
    readOnly: true,
  });
  const watching = connect(options.databaseUrl, {
    connections: 1,
    timeoutMs: AWAY_MS,
    queryTimeoutMs: AWAY_MS,
    readOnly: true,
  });
  const updates = liveUpdates(watching.db);
  const closeConnections = async (): Promise<void> => {
    await Promise.all([reading.close(), watching.close()]);
  };
  let bundled: Promise<Pages> | null = null;
  const app = dashboardApp({
    answers: answersFrom(reading.db),
    updates,
    pages: async () => (bundled ??= bundlePages()),
  });
  try {
    const server = await listen(app.fetch, { host: '127.0.0.1', port });
    const { port: bound } = server.address() as AddressInfo;
    return {
      address: `http://127.0.0.1:${bound}/`,
      async close() {
        await updates.stop();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
        await closeConnections();
      },
    };
  } catch (error) {
    await updates.stop();
    await closeConnections();
    throw error;
  }
}
