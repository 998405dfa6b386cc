import { and, asc, eq, gt } from 'drizzle-orm';
import type { RunDetail } from '../contracts/dashboard.ts';
import type { Database } from './connection.ts';
import { eventsOf } from './events.ts';
import { runOverviews } from './run-overview.ts';
import { runStatus } from './run-status.ts';
import { readRun } from './runs.ts';
import { checkpoints } from './schema/policies.ts';

/**
 * What is known of a run besides its steps.
 *
 * @throws ToolsampleError `not-found`
 */
export async function runDetail(db: Database, run: string): Promise<RunDetail> {
  const { config, corpusSamples, policyParameters } = await readRun(db, run);
  const [overview] = await runOverviews(db, [run]);
  if (overview === undefined) throw new Error('a run that was just read could not be found');
  const { data, evaluations, settings, forkOf } = await runStatus(db, run);
  const slices = await db
    .select({ committedAt: checkpoints.committedAt, seconds: checkpoints.trainingSeconds })
    .from(checkpoints)
    .where(and(eq(checkpoints.run, run), eq(checkpoints.step, 0), gt(checkpoints.slice, 0)))
    .orderBy(asc(checkpoints.slice));
  const events = await eventsOf(db, run);
  return {
    overview,
    config,
    corpusSamples,
    policyParameters,
    heldOut: data.heldOut,
    evaluations,
    settings,
    forkOf,
    events: events.map(({ happenedAt, kind, step, message }) => ({
      at: happenedAt.toISOString(),
      kind,
      step,
      message,
    })),
    coldStart: slices.map(({ committedAt, seconds }) => ({
      committedAt: committedAt.toISOString(),
      seconds,
    })),
  };
}
