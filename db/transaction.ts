import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type { PgTransactionConfig } from 'drizzle-orm/pg-core';
import type { Pool, PoolClient } from 'pg';
import type { Database } from './connection.ts';

/** Signs of life within the time after which a silent transaction is ended. */
const SIGNS = 6;

type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];

/**
 * The database behind a pool. Its transactions do not outlive the process that runs them: one that is frozen, or whose machine is gone,
 * keeps its locks for `silenceMs` at most, and fails when it goes on. A transaction itself may take its time, reading files or deleting
 * objects: as long as the process lives, it says so on the transaction's connection.
 */
export function livelyDatabase(pool: Pool, silenceMs: number): Database {
  const db: Database = drizzle(pool);
  db.transaction = async (work, config) => inTransaction(pool, silenceMs, work, config);
  return db;
}

/**
 * A transaction on a connection of the pool, as drizzle makes it. On a pool, drizzle would lose the connection where `begin` fails, and
 * tell of a `rollback` that failed instead of why there had to be one.
 */
async function inTransaction<T>(
  pool: Pool,
  silenceMs: number,
  work: (tx: Transaction) => Promise<T>,
  config: PgTransactionConfig | undefined,
): Promise<T> {
  const client = await pool.connect();
  const silence = giveSigns(client, silenceMs / SIGNS);
  let failed: { readonly error: unknown } | undefined;
  let usable = false;
  try {
    const result = await drizzle(client).transaction(async (tx) => {
      try {
        // Not of the session: a pooler in between hands that on to others, and refuses it as an option of the connection.
        await tx.execute(sql.raw(`set local idle_in_transaction_session_timeout = ${silenceMs}`));
        return await work(tx);
      } catch (error) {
        failed = { error };
        throw error;
      }
    }, config);
    usable = true;
    return result;
  } catch (error) {
    usable = error === failed?.error;
    throw failed === undefined ? error : failed.error;
  } finally {
    await silence();
    client.release(!usable);
  }
}

/** Asks something on a connection now and then. @returns what ends it */
function giveSigns(client: PoolClient, intervalMs: number): () => Promise<void> {
  let sign: Promise<unknown> | null = null;
  const timer = setInterval(() => {
    // Behind a statement that takes long, one is enough. A connection that is gone, or a transaction that has failed, shows elsewhere.
    sign ??= client
      .query('select')
      .catch(() => undefined)
      .finally(() => {
        sign = null;
      });
  }, intervalMs);
  return async () => {
    clearInterval(timer);
    await sign;
  };
}
