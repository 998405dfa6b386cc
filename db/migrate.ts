import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { Client } from 'pg';
import { ToolsampleError } from '../contracts/errors.ts';
import { commentStatements } from './comments.ts';
import { ALL_COMMENTS } from './schema/all-comments.ts';

const MIGRATIONS = { migrationsFolder: fileURLToPath(new URL('migrations', import.meta.url)) };

/** Any constant that no other user of the server locks. */
const LOCK = 7_235_690_114;

/**
 * Brings a database to the schema of this code: migrations, views and comments. Safe to call from several
 * processes at once; free when there is nothing to do.
 *
 * @throws ToolsampleError `schema` when the database was made by a newer toolsample
 */
export async function migrateDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    // drizzle's migrate takes no lock of its own.
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    await client.query('set client_min_messages = warning');
    await refuseNewerDatabase(client);
    await migrate(drizzle(client), MIGRATIONS);
    await writeComments(client);
  } finally {
    await client.end();
  }
}

async function refuseNewerDatabase(client: Client): Promise<void> {
  const known = new Set(readMigrationFiles(MIGRATIONS).map((migration) => migration.hash));
  const exists = await client.query<{ exists: boolean }>(
    `select to_regclass('drizzle.__drizzle_migrations') is not null as exists`,
  );
  if (exists.rows[0]?.exists !== true) return;
  const applied = await client.query<{ hash: string }>(
    'select hash from drizzle.__drizzle_migrations order by id',
  );
  const unknown = applied.rows.filter((row) => !known.has(row.hash)).length;
  if (unknown > 0) {
    throw new ToolsampleError(
      'schema',
      `the database has ${unknown} migration(s) that this version does not know: a newer toolsample made it`,
      { hint: 'update toolsample, or use another database (DATABASE_URL) or data folder (--home)' },
    );
  }
}

/** Writes the comments when they changed; a digest of them, kept as the comment of an index, tells. */
async function writeComments(client: Client): Promise<void> {
  const statements = commentStatements(ALL_COMMENTS);
  const mark = `comments ${createHash('sha256').update(statements).digest('hex')}`;
  const stored = await client.query<{ mark: string | null }>(
    `select obj_description('runs_pkey'::regclass) as mark`,
  );
  if (stored.rows[0]?.mark === mark) return;
  await client.query(`begin;\n${statements}\ncomment on index runs_pkey is '${mark}';\ncommit;`);
}
