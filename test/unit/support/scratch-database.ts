import { connect, type Connection } from '../../../db/connection.ts';
import { migrateDatabase } from '../../../db/migrate.ts';
import { withClient } from '../../../services/postgres/connection.ts';
import { ensureDatabaseOnly } from '../../../services/services.ts';
import { env, scratchFolders } from './scratch-services.ts';

export interface ScratchServer {
  /** Creates an empty database and returns its URL. */
  database(): Promise<string>;
  /** A connection to a new database with the schema of this code. */
  migrated(): Promise<Connection>;
  /** Stops the server and deletes its files. */
  stop(): Promise<void>;
}

/**
 * A real Postgres of this test file alone, started as the product starts it: also as root, and from a clone under a folder
 * that the user of Postgres cannot enter.
 */
export async function startScratchServer(): Promise<ScratchServer> {
  const folders = await scratchFolders();
  const { databaseUrl } = await ensureDatabaseOnly({ home: folders.home('database'), env });
  let databases = 0;
  const create = async (name: string, template = 'template1'): Promise<string> => {
    const statement = `create database ${name} template ${template}`;
    await withClient(databaseUrl, (client) => client.query(statement));
    const url = new URL(databaseUrl);
    url.pathname = `/${name}`;
    return url.href;
  };
  // Copying a migrated database takes a tenth of migrating one.
  let template: Promise<void> | null = null;
  return {
    database: async () => create(`scratch_${++databases}`),
    async migrated() {
      template ??= create('migrated').then(migrateDatabase);
      await template;
      return connect(await create(`scratch_${++databases}`, 'migrated'));
    },
    stop: () => folders.close(),
  };
}
