import { eq, sql } from 'drizzle-orm';
import type { Database } from './connection.ts';
import { runs } from './schema/runs.ts';

/** By this name Postgres lists the connections of workers. */
export const WORKER_PRESENCE = 'toolsample worker';

/**
 * The runs that are going on while a worker is there, newest first. A run whose worker was killed is not among them, although
 * it never got to say that it stopped.
 */
export async function runsBeingServed(db: Database): Promise<string[]> {
  const { rows } = await db.execute<{ present: boolean }>(sql`
    select exists (select from pg_stat_activity
      where application_name = ${WORKER_PRESENCE} and datname = current_database()) as present`);
  if (rows[0]?.present !== true) return [];
  const going = await db
    .select({ run: runs.run })
    .from(runs)
    .where(eq(runs.state, 'running'))
    .orderBy(sql`${runs.startedAt} desc`);
  return going.map(({ run }) => run);
}
