import type { NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import { Pool } from 'pg';
import { ToolsampleError } from '../contracts/errors.ts';
import { livelyDatabase } from './transaction.ts';

/** What repository functions work on: the database itself, or a transaction of it. */
export type Database = PgDatabase<NodePgQueryResultHKT>;

export interface Connection {
  readonly db: Database;
  readonly pool: Pool;
  /** Waits for queries under way, then closes the pool. */
  close(): Promise<void>;
}

export interface ConnectionOptions {
  /** Connections at most. */
  readonly connections?: number;
  /**
   * Shows others that this process is there: Postgres lists a connection of this name until the process ends, however it ends. It is made
   * at once, and made again within a second where Postgres went away.
   */
  readonly presence?: string;
  /** How long to wait for a connection; default 30 s. */
  readonly timeoutMs?: number;
  /** How long to wait for the answer to a query; default: as long as it takes, for those who only look 35 s. */
  readonly queryTimeoutMs?: number;
  /** For those who only look: Postgres refuses every write, and ends a query that takes longer than half a minute. */
  readonly readOnly?: boolean;
  /** After how long without a sign of life from this process a transaction of it is ended; default 30 s. */
  readonly silenceMs?: number;
}

/** A server that does not answer for so long is away; the caller tries again. */
const CONNECTION_TIMEOUT_MS = 30_000;

/** How often a process that shows its presence looks whether it still has a connection. */
const PRESENCE_MS = 1_000;

/** Longer than an honest process is busy without a pause: one that misses its heartbeats for 10 to 15 s has lost its activity anyway. */
const SILENCE_MS = 30_000;

/** When the connection to a machine that lost its power or its network is taken for dead: a minute, not the system's two hours. */
const KEEP_ALIVE_MS = 30_000;
const SERVER_KEEP_ALIVE = [
  'set tcp_keepalives_idle = 30',
  'set tcp_keepalives_interval = 10',
  'set tcp_keepalives_count = 3',
  'set tcp_user_timeout = 60000',
].join('; ');

const READ_ONLY = '-c default_transaction_read_only=on -c statement_timeout=30s';
/** A server that has not even ended the query by then hangs. */
const READ_TIMEOUT_MS = 35_000;

/**
 * Opens a pool of connections; nothing is sent before the first query, unless it shows presence.
 *
 * @param url `postgres://user:password@host:port/database`
 * @throws ToolsampleError `config` when the URL cannot be read
 */
export function connect(url: string, options: ConnectionOptions = {}): Connection {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new ToolsampleError('config', 'the database address is not a postgres:// URL', {
      at: { field: 'DATABASE_URL' },
      hint: 'write postgres://user:password@host:port/database',
    });
  }
  const readOnly = options.readOnly === true;
  const queryTimeoutMs = options.queryTimeoutMs ?? (readOnly ? READ_TIMEOUT_MS : undefined);
  const pool = new Pool({
    connectionString: options.presence === undefined ? url : withoutName(url),
    max: options.connections ?? 10,
    // Kept while there is nothing to ask.
    min: options.presence === undefined ? 0 : 1,
    ...(options.presence === undefined ? {} : { application_name: options.presence }),
    connectionTimeoutMillis: options.timeoutMs ?? CONNECTION_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // Awaited, whatever its type says. As statements: poolers refuse options. A server that knows none of this works as before.
    onConnect: (client): unknown => client.query(SERVER_KEEP_ALIVE).catch(() => undefined),
    ...(readOnly ? { options: READ_ONLY } : {}),
    ...(queryTimeoutMs === undefined ? {} : { query_timeout: queryTimeoutMs }),
  });
  // A restart of the database ends idle clients; without listeners that would end the process. The next query reconnects.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const present = options.presence === undefined ? undefined : stayPresent(pool);
  return {
    db: livelyDatabase(pool, options.silenceMs ?? SILENCE_MS),
    pool,
    close: async () => {
      clearInterval(present);
      await pool.end();
    },
  };
}

/** Who computes for minutes asks nothing meanwhile; a server that restarted would not know of it. */
function stayPresent(pool: Pool): NodeJS.Timeout {
  const show = (): void => {
    // A server that is away is asked again.
    if (pool.totalCount === 0) pool.query('select').catch(() => undefined);
  };
  show();
  return setInterval(show, PRESENCE_MS).unref();
}

/** The name in an address would hide the one that shows presence. */
function withoutName(url: string): string {
  const address = new URL(url);
  if (!address.searchParams.has('application_name')) return url;
  address.searchParams.delete('application_name');
  return address.href;
}
