import { and, asc, eq } from 'drizzle-orm';
import type { JsonObject } from '../contracts/json.ts';
import { promptLimit, type LeftOutRows, type RunDataStatus } from '../contracts/run-data.ts';
import type { Database } from './connection.ts';
import type { RunRow } from './runs.ts';
import { corpora } from './schema/corpora.ts';
import { events, runSplits } from './schema/runs.ts';

/** What a run trains on and is evaluated on, and what was left out of it. */
export async function runDataStatus(db: Database, run: RunRow): Promise<RunDataStatus> {
  const heldOut = await db
    .select({ split: runSplits.split, samples: corpora.samples })
    .from(runSplits)
    .innerJoin(corpora, eq(corpora.corpus, runSplits.corpus))
    .where(eq(runSplits.run, run.run))
    .orderBy(asc(runSplits.ordinal));
  const reports = await db
    .select({ details: events.details })
    .from(events)
    .where(and(eq(events.run, run.run), eq(events.kind, 'rejected-rows')))
    .orderBy(asc(events.happenedAt), asc(events.event));
  return {
    samples: run.corpusSamples,
    promptLimit: promptLimit(run.config, run.contextLength),
    leftOut: reports.flatMap(({ details }) => (details === null ? [] : [leftOutRows(details)])),
    heldOut,
  };
}

/** As the run's preparation recorded it, among examples. */
function leftOutRows(details: JsonObject): LeftOutRows {
  const { part, rows, rejectedRows, overlongPrompts } = details as JsonObject & LeftOutRows;
  return { part, rows, rejectedRows, overlongPrompts };
}
