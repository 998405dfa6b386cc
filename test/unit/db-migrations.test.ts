import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { LATER_SETTINGS } from '../../contracts/config.ts';
import { connect, type Connection } from '../../db/connection.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { findRun } from '../../db/runs.ts';
import { PROGRAM } from '../program.ts';
import { env } from './support/scratch-services.ts';
import { scratchServer } from './support/scratch-database.ts';

const FOLDER = fileURLToPath(new URL('../../db/migrations', import.meta.url));

let root: string;
const server = scratchServer();
let url: string;
let connection: Connection;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-migrations-'));
  url = await server.database();
  // Five processes that start at once: the lock lets one migrate and the others find it done.
  await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(url)));
  connection = connect(url);
});

afterAll(async () => {
  await connection.close();
  await rm(root, { recursive: true, force: true });
});

/** The program, in a process of its own, on a database. */
async function toolsample(args: readonly string[], database: string) {
  const child = spawn(process.execPath, [PROGRAM, ...args, '--home', join(root, 'home')], {
    env: { ...env, DATABASE_URL: database, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { code: code as number | null, stdout, stderr };
}

/** A database as the first version left it, with a run in it that lacks the settings that came later. */
async function oldestDatabase(): Promise<string> {
  const first = join(root, 'first');
  await mkdir(join(first, 'meta'), { recursive: true });
  await cp(join(FOLDER, '0000_initial.sql'), join(first, '0000_initial.sql'));
  const journal = JSON.parse(readFileSync(join(FOLDER, 'meta/_journal.json'), 'utf8')) as {
    entries: object[];
  };
  const oldest = { ...journal, entries: journal.entries.slice(0, 1) };
  await writeFile(join(first, 'meta/_journal.json'), JSON.stringify(oldest));
  const database = await server.database();
  const older = connect(database);
  await migrate(drizzle(older.pool), { migrationsFolder: first });
  await older.pool.query(`
    insert into corpora (corpus, source, samples) values ('c', 'mine', 1);
    insert into runs (run, state, policy, sampler, curriculum, config, config_sha256, corpus, corpus_samples,
      rejected_rows, overlong_prompts, context_length, epochs, steps_per_epoch, total_steps, warm_start_slices, evaluate_at)
    values ('old', 'stopped', 'builtin', 'dscl', 'tdcl', '{"seed": 7}', 'f', 'c', 1, 0, 0, 64, 1, 1, 1, 0, '{}');
    insert into epochs (run, epoch, state, first_step, last_step) values ('old', 1, 'running', 1, 2);
    insert into steps (run, step, epoch, state, active, curriculum_version, groups, rollout_seconds)
    values ('old', 1, 1, 'committed', false, 0, 24, 8), ('old', 2, 1, 'selected', false, 1, 8, null);
    insert into rounds (run, step, round, groups, shards) values ('old', 1, 0, 24, 3), ('old', 2, 0, 8, 1);
    insert into rollout_shards
      (run, step, round, shard, artifact_sha256, artifact_bytes, completions, generated_tokens, generation_seconds, committed_at)
    values ('old', 1, 0, 0, 'a', 1, 8, 9, 2, '2026-01-01 00:00:02Z'), ('old', 1, 0, 1, 'a', 1, 8, 9, 3, '2026-01-01 00:00:03Z'),
      ('old', 1, 0, 2, 'a', 1, 8, 9, 3, '2026-01-01 00:00:09Z'), ('old', 2, 0, 0, 'a', 1, 8, 9, 2, '2026-01-01 00:00:20Z');
    insert into samples
      (corpus, sample_id, ordinal, reward_min, reward_max, shape, source_format, source_name, source_row, messages, ground_truth, calls)
    select 'c', 's' || i, i, -3, 4, 'call', 'rlla', 'mine', i, '[]', '', '[]' from generate_series(1, 4) i;
    insert into run_splits (run, split, ordinal, corpus) values ('old', 'heldout', 0, 'c');
    insert into evaluations (run, step, split, epoch, n, exact_match, exact_match_low, exact_match_high, reward,
      score_format, score_name, score_key, score_value, evaluation_seconds)
    select 'old', step, 'heldout', step, 4, 0, 0, 1, 2, 1, 1, 1, 1, 1 from generate_series(0, 1) step;
    insert into evaluation_samples (run, step, split, sample_id, corpus, completion, completion_tokens, exact_match, reward,
      score_format, score_name, score_key, score_value)
    select 'old', 0, 'heldout', 's' || i, 'c', '', 1, false, case i when 4 then 5 else 1 end, 1, 1, 1, 1 from generate_series(1, 4) i
    union all select 'old', 1, 'heldout', 's1', 'c', '', 1, false, 2, 1, 1, 1, 1`);
  await older.close();
  return database;
}

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
  expect(tables.rowCount).toBe(29);
});

test('comments are written again when those of the code have changed', async () => {
  await connection.pool.query(
    `comment on table runs is 'mine'; comment on index runs_pkey is 'older'`,
  );
  await migrateDatabase(url);
  const { rows } = await connection.pool.query(`select obj_description('runs'::regclass) as text`);
  expect(rows[0]).toEqual({ text: 'Training runs.' });
});

test('a database of a newer version is refused with which version and what to do', async () => {
  const other = await server.database();
  await migrateDatabase(other);
  const newer = connect(other);
  const known = (await newer.pool.query('select 1 from drizzle.__drizzle_migrations')).rowCount!;
  await newer.pool.query(
    `insert into drizzle.__drizzle_migrations (hash, created_at) values ('f00', 9999999999999);
     comment on table drizzle.__drizzle_migrations is 'schema ${known + 1}, made by toolsample 99.1.0'`,
  );
  const { code, stdout, stderr } = await toolsample(['runs'], other);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(
    new RegExp(
      `^error: the database has schema ${known + 1}, made by toolsample 99\\.1\\.0; this is toolsample \\S+, ` +
        `which knows schemas up to ${known} — use toolsample 99\\.1\\.0, or another database .*\\n$`,
    ),
  );
  // Written by hand, or by a version that did not sign.
  await newer.pool.query('comment on table drizzle.__drizzle_migrations is null');
  await newer.close();
  await expect(migrateDatabase(other)).rejects.toThrow(/made by a newer toolsample; this is/);
}, 60_000);

test('processes that start at once on an empty database all find it ready', async () => {
  const empty = await server.database();
  const ends = await Promise.all(
    Array.from({ length: 3 }, async () => toolsample(['runs', '--json'], empty)),
  );
  expect(ends).toEqual(ends.map(() => ({ code: 0, stdout: '[]\n', stderr: '' })));
}, 120_000);

test('a database of the first version is migrated, its runs go on with what came later', async () => {
  const older = await oldestDatabase();
  await migrateDatabase(older);
  const newer = connect(older);
  const run = await findRun(newer.db, 'old');
  expect(run).toMatchObject({ policyParameters: null, config: { ...LATER_SETTINGS, seed: 7 } });
  // Two workers sampled the first two shards side by side.
  const { rows } = await newer.pool.query('select rollout_seconds from steps order by step');
  expect(rows).toEqual([{ rollout_seconds: 6 }, { rollout_seconds: null }]);
  const evaluated = await newer.pool.query('select reward_error from evaluations order by step');
  expect(evaluated.rows).toEqual([{ reward_error: 1 }, { reward_error: 0 }]);
  await newer.close();
});

test('a migration that is cut off has changed nothing, and the next start makes it', async () => {
  const older = await oldestDatabase();
  const reader = connect(older);
  const busy = await reader.pool.connect();
  await busy.query('begin');
  await busy.query('select * from runs');
  const cutOff = migrateDatabase(older).then(
    () => 'migrated',
    () => 'cut off',
  );
  const waiting = `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  const pid = await vi.waitFor(async () => {
    const { rows } = await reader.pool.query<{ pid: number }>(waiting);
    expect(rows).toHaveLength(1);
    return rows[0]!.pid;
  }, 20_000);
  await reader.pool.query('select pg_terminate_backend($1)', [pid]);
  expect(await cutOff).toBe('cut off');
  await busy.query('commit');
  busy.release();
  const applied = 'select 1 from drizzle.__drizzle_migrations';
  expect((await reader.pool.query(applied)).rowCount).toBe(1);
  await migrateDatabase(older);
  expect((await findRun(reader.db, 'old'))?.config.seed).toBe(7);
  await reader.close();
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
