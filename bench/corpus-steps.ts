import { readFile } from 'node:fs/promises';
import { importanceHalfLife } from '../activities/importance-half-life.ts';
import { connect, type Connection } from '../db/connection.ts';
import { makeSums } from '../db/importance-sums.ts';
import { readRun } from '../db/runs.ts';
import { takeStep } from '../test/unit/support/scratch-steps.ts';
import { times, type CorpusFigures, type Lap } from './corpus-figures.ts';

const GENERATIONS = 8;
/** Steps before the measured ones. */
const WARM_UP = 2;

/** Gives two thirds of a run's samples statistics, in the order of visits, as two epochs leave them: mostly mastered, some to be learned. */
export async function seedStatistics({ db, pool }: Connection, run: string): Promise<void> {
  const { corpusSamples, config, ...row } = await readRun(db, run);
  // Visits lie before step 1. Checking foreign keys one by one would take longer than the rest.
  await pool.query(`
    begin;
    set local session_replication_role = replica;
    insert into sample_statistics (run, sample_id, corpus, visits, mean, within_variance, epoch_variance, mean_of_means,
      m2_of_means, group_size, last_step, category, importance, fades_to, ordinal)
    select '${run}', sample_id, corpus, 2, 1, 1, 0, 1, 0, ${GENERATIONS}, -steps_ago,
      case when u < 0.6 then 'easy' else 'active' end, case when u < 0.6 then 0 else u ^ 4 end,
      case when u < 0.6 then 0 else 1 end, ordinal
    from (
      select sample_id, corpus, ordinal, (('x' || left(md5(sample_id), 7))::bit(28)::integer / 268435456.0)::float8 as u,
        ('x' || right(md5(sample_id), 7))::bit(28)::integer % ${2 * row.stepsPerEpoch} as steps_ago
      from samples where corpus = '${row.corpus}' and ordinal % 3 > 0
    ) visits
    order by steps_ago desc;
    commit`);
  const halfLife = importanceHalfLife({ config, corpusSamples });
  await db.transaction((tx) => makeSums(tx, { run, corpusSamples, halfLife }));
  // What autovacuum does in time.
  await pool.query('vacuum analyze');
}

/** Another run of the same data and policy that shuffles. */
async function shuffledRun({ pool }: Connection, run: string, shuffled: string): Promise<void> {
  await pool.query(`
    insert into runs select other.* from runs, json_populate_record(runs, json_build_object('run', '${shuffled}', 'sampler', 'uniform',
      'config', jsonb_set(config::jsonb, '{sampler}', '"uniform"'))) other where runs.run = '${run}';
    insert into checkpoints select other.* from checkpoints, json_populate_record(checkpoints, '{"run": "${shuffled}"}') other
    where checkpoints.run = '${run}';
    insert into curriculum_versions select other.* from curriculum_versions,
      json_populate_record(curriculum_versions, '{"run": "${shuffled}"}') other where curriculum_versions.run = '${run}'`);
}

type StepFigures = Pick<
  CorpusFigures,
  | 'shuffleMs'
  | 'importanceMs'
  | 'learnMs'
  | 'groups'
  | 'completions'
  | 'rowsWritten'
  | 'transactions'
  | 'walBytes'
  | 'sequentialScans'
>;

/** Takes steps of a run, and as many of another one that shuffles. */
export async function measureSteps(
  connection: Connection,
  { url, run, steps }: { readonly url: string; readonly run: string; readonly steps: number },
): Promise<StepFigures> {
  await shuffledRun(connection, run, 'shuffled');
  const atFirst = await counters(connection);
  const shuffled = await timeSteps(url, 'shuffled', steps);
  const before = await counters(connection);
  const byImportance = await timeSteps(url, run, steps);
  const after = await counters(connection);
  const { rows } = await connection.pool.query<{ completions: number }>(
    'select avg(completions)::float8 as completions from steps where run = $1',
    [run],
  );
  const each = (counter: 'rows' | 'transactions' | 'wal'): number =>
    (after[counter] - before[counter]) / (steps + WARM_UP);
  return {
    shuffleMs: times(shuffled.picks),
    importanceMs: times(byImportance.picks),
    learnMs: times(byImportance.learns),
    groups: byImportance.reserved,
    completions: rows[0]?.completions ?? Number.NaN,
    rowsWritten: each('rows'),
    transactions: each('transactions'),
    walBytes: each('wal'),
    sequentialScans: [...after.scans]
      .filter(([table, scans]) => scans > (atFirst.scans.get(table) ?? 0))
      .map(([table]) => table),
  };
}

async function timeSteps(url: string, run: string, steps: number) {
  // Postgres counts what a connection did when it ends.
  const connection = connect(url, { connections: 1 });
  const processor = await processorClock(connection);
  const picks: Lap[] = [];
  const learns: Lap[] = [];
  let reserved = 0;
  for (let step = 1; step <= WARM_UP + steps; step++) {
    const laps: Lap[] = [];
    await takeStep(connection, { run, epoch: 1, step }, GENERATIONS, async (activity) => {
      const [started, computed] = [performance.now(), await processor()];
      const result = await activity();
      const wall = performance.now() - started;
      laps.push({ wall, processor: (await processor()) - computed });
      if (laps.length === 1) reserved += await reservedGroups(connection, run, step);
      return result;
    });
    if (step <= WARM_UP) continue;
    // The first activity selects; the last but one learns, before the policy's commit.
    picks.push(...laps.slice(0, 1));
    learns.push(...laps.slice(-2, -1));
  }
  await connection.close();
  return { picks, learns, reserved: reserved / (WARM_UP + steps) };
}

/** Milliseconds that the only connection's server process and this one have computed. Linux only. */
async function processorClock({ pool }: Connection): Promise<() => Promise<number>> {
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  return async () => {
    const status = await readFile(`/proc/${rows[0]?.pid}/schedstat`, 'utf8');
    const { user, system } = process.cpuUsage();
    return Number(status.split(' ')[0]) / 1e6 + (user + system) / 1e3;
  };
}

async function reservedGroups({ pool }: Connection, run: string, step: number): Promise<number> {
  const { rowCount } = await pool.query('select from groups where run = $1 and step = $2', [
    run,
    step,
  ]);
  return rowCount ?? 0;
}

/** Of the database so far: rows written, transactions, bytes of the write-ahead log, and scans of whole tables that grow with the corpus, once they are
 * large. */
async function counters({ pool }: Connection) {
  const { rows } = await pool.query<{ rows: string; transactions: string; wal: string }>(`
    select tup_inserted + tup_updated + tup_deleted as rows, xact_commit as transactions,
      pg_current_wal_insert_lsn() - '0/0' as wal
    from pg_stat_database where datname = current_database()`);
  const scans = await pool.query<{ table: string; scans: string }>(`
    select relname as table, seq_scan as scans from pg_stat_user_tables
    where relname in ('samples', 'sample_statistics', 'importance_sums') and pg_relation_size(relid) > 16 * 2 ^ 20`);
  const [found] = rows;
  return {
    rows: Number(found?.rows),
    transactions: Number(found?.transactions),
    wal: Number(found?.wal),
    scans: new Map(scans.rows.map((row) => [row.table, Number(row.scans)])),
  };
}
