import { sql, type SQL } from 'drizzle-orm';
import type { ServedWork } from '../contracts/served-work.ts';
import type { Database } from './connection.ts';
import { experimentRuns, experiments } from './schema/experiments.ts';
import { runs } from './schema/runs.ts';
import { suiteEvaluations } from './schema/suites.ts';

/** By this name Postgres lists the connections of workers. */
export const WORKER_PRESENCE = 'toolsample worker';

/**
 * Whether a worker is connected to this database, on whatever machine: a condition for queries. Every worker is for as long as it lives
 * (`ConnectionOptions.presence`), so without one nobody can be working on a run. With one somebody may: which runs it serves, and whether
 * its machine was cut off the network, Postgres does not know.
 */
export const WORKER_IS_THERE: SQL = sql`exists (select from pg_stat_activity
  where application_name = ${WORKER_PRESENCE} and datname = current_database())`;

/** Whether a worker is there, as {@link WORKER_IS_THERE} has it. */
export async function workerIsThere(db: Database): Promise<boolean> {
  const { rows } = await db.execute<{ present: boolean }>(
    sql`select ${WORKER_IS_THERE} as present`,
  );
  return rows[0]?.present === true;
}

/**
 * What is under way while a worker is there: experiments, evaluations on suites, and runs that are of none of these experiments, the newest
 * of each first. What a worker that was killed had under way is not among them, although it never got to say that it stopped. A paused run
 * is: whoever attends it waits.
 */
export async function workBeingServed(db: Database): Promise<ServedWork[]> {
  if (!(await workerIsThere(db))) return [];
  const { rows } = await db.execute<{ kind: ServedWork['kind']; id: string }>(sql`
    select kind, id from (
      select 1 as place, 'experiment' as kind, experiment as id, started_at from ${experiments} where state = 'running'
      union all
      select 2, 'evaluation', evaluation, started_at from ${suiteEvaluations} where state = 'running'
      union all
      select 3, 'run', r.run, r.started_at from ${runs} r where r.state in ('running', 'paused') and not exists (
        select from ${experimentRuns} m join ${experiments} e using (experiment) where m.run = r.run and e.state = 'running')
    ) as work order by place, started_at desc, id`);
  return rows;
}
