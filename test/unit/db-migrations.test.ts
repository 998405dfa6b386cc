import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Connection } from '../../db/connection.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { startScratchServer, type ScratchServer } from './support/scratch-database.ts';

let server: ScratchServer;
let url: string;
let connection: Connection;

beforeAll(async () => {
  server = await startScratchServer();
  url = await server.database();
  // Five processes that start at once: the lock lets one migrate and the others find it done.
  await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(url)));
  connection = connect(url);
});

afterAll(async () => {
  await connection.close();
  await server.stop();
});

test('migrating again changes nothing', async () => {
  const applied = 'select * from drizzle.__drizzle_migrations';
  const before = (await connection.pool.query(applied)).rows;
  await migrateDatabase(url);
  expect((await connection.pool.query(applied)).rows).toEqual(before);
});

test('every table, view and column has a comment', async () => {
  const { rows } = await connection.pool.query<{ place: string }>(`
    select c.relname || coalesce('.' || a.attname, '') as place
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
    left join lateral (
      select null::name as attname, 0 as attnum
      union all
      select attname, attnum from pg_attribute
      where attrelid = c.oid and attnum > 0 and not attisdropped
    ) a on true
    where c.relkind in ('r', 'v', 'm', 'p')
      and coalesce(nullif(case when a.attnum = 0 then obj_description(c.oid, 'pg_class') else col_description(c.oid, a.attnum) end, ''), '') = ''
  `);
  expect(rows.map((row) => row.place)).toEqual([]);
  const tables = await connection.pool.query(
    `select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'v')`,
  );
  expect(tables.rowCount).toBe(20);
});

test('comments are written again when those of the code have changed', async () => {
  await connection.pool.query(
    `comment on table runs is 'mine'; comment on index runs_pkey is 'older'`,
  );
  await migrateDatabase(url);
  const { rows } = await connection.pool.query(`select obj_description('runs'::regclass) as text`);
  expect(rows[0]).toEqual({ text: 'Training runs.' });
});

test('a database of a newer version is refused with what to do', async () => {
  const other = await server.database();
  await migrateDatabase(other);
  const newer = connect(other);
  await newer.pool.query(
    `insert into drizzle.__drizzle_migrations (hash, created_at) values ('f00', 9999999999999)`,
  );
  await newer.close();
  await expect(migrateDatabase(other)).rejects.toThrow(
    /newer toolsample made it.*update toolsample/,
  );
});

test('migrations are in the order of their time, or the later one would be skipped', () => {
  const journal = JSON.parse(
    readFileSync(new URL('../../db/migrations/meta/_journal.json', import.meta.url), 'utf8'),
  ) as { entries: { when: number; idx: number }[] };
  const times = journal.entries.map((entry) => entry.when);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(journal.entries.map((entry) => entry.idx)).toEqual(times.map((_, index) => index));
});

test('an address that is no postgres URL is refused', () => {
  expect(() => connect('mysql://x')).toThrow(/DATABASE_URL.*postgres:\/\/ URL/);
});
