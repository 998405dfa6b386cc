import { sql } from 'drizzle-orm';
import type { Database } from './connection.ts';
import { WORKER_IS_THERE } from './presence.ts';

/**
 * A short text for each run that is another one whenever there is something new to show of it: its state, a step, an
 * evaluation, an event, a worker that came or went. Cheap enough to be asked every second beside a training run: it reads counts by
 * index, whatever the number of steps.
 */
export async function runPulses(db: Database): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.execute<{ run: string; pulse: string }>(sql`
    select r.run, concat_ws('/', r.state, r.state = 'running' and ${WORKER_IS_THERE}, r.requested, r.policy_step, r.finished_at,
      (select s.step from steps s where s.run = r.run and s.state in ('committed', 'skipped')
        order by s.step desc limit 1),
      (select count(*) from evaluations e where e.run = r.run),
      (select count(*) from events v where v.run = r.run)) as pulse
    from runs r`);
  return new Map(rows.map(({ run, pulse }) => [run, pulse]));
}
