import { and, asc, eq, sql } from 'drizzle-orm';
import type { JsonObject } from '../contracts/json.ts';
import type { Database } from './connection.ts';
import { events } from './schema/runs.ts';

export type EventRow = typeof events.$inferSelect;

export interface NewEvent {
  /** Key within the run: recording it again changes nothing. */
  readonly event: string;
  readonly kind: string;
  readonly step?: number;
  readonly message: string;
  readonly details?: JsonObject;
}

/** Records an event of a run, once. */
export async function recordEvent(db: Database, run: string, event: NewEvent): Promise<void> {
  await db
    .insert(events)
    // The time of a transaction is that of its beginning: preparing a run reads all of its data in one.
    .values({ run, ...event, happenedAt: sql`clock_timestamp()` })
    .onConflictDoNothing();
}

/** The event of that key; null before it is recorded. */
export async function findEvent(
  db: Database,
  run: string,
  event: string,
): Promise<EventRow | null> {
  const [row] = await db
    .select()
    .from(events)
    .where(and(eq(events.run, run), eq(events.event, event)));
  return row ?? null;
}

/** The events of a run in the order they happened. */
export async function eventsOf(db: Database, run: string): Promise<EventRow[]> {
  return db
    .select()
    .from(events)
    .where(eq(events.run, run))
    .orderBy(asc(events.happenedAt), asc(events.event));
}
