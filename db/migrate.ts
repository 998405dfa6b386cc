import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { Client } from 'pg';
import { ToolsampleError } from '../contracts/errors.ts';
import { ownVersion } from '../contracts/version.ts';
import { commentStatements } from './comments.ts';
import { ALL_COMMENTS } from './schema/all-comments.ts';

const MIGRATIONS = { migrationsFolder: fileURLToPath(new URL('migrations', import.meta.url)) };

/** Any constant that no other user of the server locks. */
const LOCK = 7_235_690_114;

/**
 * Brings a database to the schema of this code: migrations, views and comments. Safe to call from several
 * processes at once, and to be killed: migrations are one transaction. Free when there is nothing to do.
 *
 * @throws ToolsampleError `schema` when a newer toolsample has migrated the database
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
    await signSchema(client);
    await writeComments(client);
  } finally {
    await client.end();
  }
}

async function refuseNewerDatabase(client: Client): Promise<void> {
  const exists = await client.query<{ exists: boolean }>(
    `select to_regclass('drizzle.__drizzle_migrations') is not null as exists`,
  );
  if (exists.rows[0]?.exists !== true) return;
  const known = readMigrationFiles(MIGRATIONS).map((migration) => migration.hash);
  const applied = await client.query<{ hash: string }>(
    'select hash from drizzle.__drizzle_migrations order by id',
  );
  if (applied.rows.every((row) => known.includes(row.hash))) return;
  const other = (await schemaSignature(client))?.version;
  throw new ToolsampleError(
    'schema',
    `the database has schema ${applied.rows.length}, made by ${other === undefined ? 'a newer toolsample' : `toolsample ${other}`}; ` +
      `this is toolsample ${ownVersion()}, which knows schemas up to ${known.length}`,
    {
      hint: `use ${other === undefined ? 'the newer version' : `toolsample ${other}`}, or another database (DATABASE_URL) or data folder (--home)`,
    },
  );
}

/** Which version brought the schema to where it is; kept as the comment of drizzle's table, for an older one to name it. */
interface SchemaSignature {
  /** Migrations applied. */
  readonly schema: number;
  readonly version: string;
}

async function signSchema(client: Client): Promise<void> {
  const { length } = readMigrationFiles(MIGRATIONS);
  if ((await schemaSignature(client))?.schema === length) return;
  await client.query(
    `comment on table drizzle.__drizzle_migrations is 'schema ${length}, made by toolsample ${ownVersion()}'`,
  );
}

/** Null where nothing, or nothing of that form, was written. */
async function schemaSignature(client: Client): Promise<SchemaSignature | null> {
  const { rows } = await client.query<{ text: string | null }>(
    `select obj_description('drizzle.__drizzle_migrations'::regclass) as text`,
  );
  const [, schema, version] =
    /^schema (\d+), made by toolsample (\d[\w.+-]{0,63})$/.exec(rows[0]?.text ?? '') ?? [];
  return schema === undefined || version === undefined ? null : { schema: Number(schema), version };
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
