import { randomUUID } from 'node:crypto';
import { afterAll, inject } from 'vitest';
import { connect, type Connection } from '../../../db/connection.ts';
import { migrateDatabase } from '../../../db/migrate.ts';
import { withClient } from '../../../services/postgres/connection.ts';
import { ensureDatabaseOnly } from '../../../services/services.ts';
import { scratchHome } from '../../scratch-folder.ts';
import { env } from './scratch-services.ts';

export interface ScratchServer {
  /** Creates an empty database and returns its URL. */
  database(): Promise<string>;
  /** Creates a database with the schema of this code and returns its URL. */
  migratedDatabase(): Promise<string>;
  /** A connection to a new database with the schema of this code. */
  migrated(): Promise<Connection>;
}

/** Copying a migrated database takes a tenth of migrating one. */
const TEMPLATE = 'migrated';

/**
 * A real Postgres, started as the product starts it by the first test file of a run that asks, and shared by all of them.
 * The databases are this file's own, and dropped after its tests and hooks: to be called at the top of a file.
 */
export function scratchServer(): ScratchServer {
  const created: string[] = [];
  const create = async (url: string, template: string): Promise<string> => {
    const name = `scratch_${randomUUID().replaceAll('-', '')}`;
    await execute(url, `create database ${name} template ${template}`);
    created.push(name);
    return onServer(url, name);
  };
  afterAll(async () => {
    if (created.length === 0) return;
    const url = await serverUrl();
    for (const name of created) await execute(url, `drop database ${name} with (force)`);
  });
  const migratedDatabase = async (): Promise<string> => {
    const url = await serverUrl();
    await ensureTemplate(url);
    return create(url, TEMPLATE);
  };
  return {
    database: async () => create(await serverUrl(), 'template1'),
    migratedDatabase,
    migrated: async () => connect(await migratedDatabase()),
  };
}

async function serverUrl(): Promise<string> {
  const { databaseUrl } = await ensureDatabaseOnly({ home: scratchHome(inject('scratch')), env });
  return databaseUrl;
}

/** Of all test files that need the template at once, one makes it. */
async function ensureTemplate(url: string): Promise<void> {
  await withClient(url, async (client) => {
    // Until this connection ends.
    await client.query('select pg_advisory_lock(1)');
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      TEMPLATE,
    ]);
    if (rowCount !== 0) return;
    await client.query('create database being_migrated');
    await migrateDatabase(onServer(url, 'being_migrated'));
    await client.query(`alter database being_migrated rename to ${TEMPLATE}`);
  });
}

async function execute(url: string, statement: string): Promise<void> {
  await withClient(url, (client) => client.query(statement));
}

function onServer(url: string, database: string): string {
  const there = new URL(url);
  there.pathname = `/${database}`;
  return there.href;
}
