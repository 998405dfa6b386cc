import { eq, sql, type SQL } from 'drizzle-orm';
import type { Database } from './connection.ts';
import { runs } from './schema/runs.ts';

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
 * The runs that are going on while a worker is there, newest first. A run whose worker was killed is not among them, although
 * it never got to say that it stopped.
 */
export async function runsBeingServed(db: Database): Promise<string[]> {
  if (!(await workerIsThere(db))) return [];
  const going = await db
    .select({ run: runs.run })
    .from(runs)
    .where(eq(runs.state, 'running'))
    .orderBy(sql`${runs.startedAt} desc`);
  return going.map(({ run }) => run);
}
