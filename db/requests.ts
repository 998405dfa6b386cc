import { and, desc, eq, sql } from 'drizzle-orm';
import type { RequestKey } from '../contracts/activities.ts';
import type { JsonObject, JsonValue } from '../contracts/json.ts';
import {
  RUN_REQUESTS,
  type PendingRequest,
  type RequestStatus,
  type RunRequest,
} from '../contracts/requests.ts';
import { LISTED_REQUESTS } from '../contracts/run-status.ts';
import { committedStep } from './checkpoints.ts';
import type { Database } from './connection.ts';
import { recordEvent } from './events.ts';
import { events, runs } from './schema/runs.ts';

/** Kind of the events that record requests. */
const KIND = 'request';

export interface NewRequest extends RequestKey {
  readonly kind: RunRequest;
  readonly from: JsonValue;
  readonly to: JsonValue;
}

/** Key of the event that records a request. */
export function requestEvent({ request }: Pick<RequestKey, 'request'>): string {
  return `request/${request}`;
}

/** Records a request of a run that is there, once. Returns the last committed step. */
export async function insertRequest(tx: Database, asked: NewRequest): Promise<number> {
  const { run, kind, by, via, from, to } = asked;
  const step = await committedStep(tx, run);
  await recordEvent(tx, run, {
    event: requestEvent(asked),
    kind: KIND,
    step,
    message: `${kind} asked for by ${by} after step ${step}`,
    details: { request: kind, by, via, from, to },
  });
  return step;
}

/** Notes what is still to come about. What has come about already needs no note: the record may be late. */
export async function setRequested(
  tx: Database,
  run: string,
  requested: PendingRequest | null,
): Promise<void> {
  const open = requested === 'pause' ? sql`('running')` : sql`('running', 'paused')`;
  await tx
    .update(runs)
    .set({ requested })
    .where(and(eq(runs.run, run), requested === null ? undefined : sql`${runs.state} in ${open}`));
}

/** The requests that a run accepted, newest first. */
export async function requestsOf(db: Database, run: string): Promise<RequestStatus[]> {
  const rows = await db
    .select()
    .from(events)
    .where(and(eq(events.run, run), eq(events.kind, KIND)))
    .orderBy(desc(events.happenedAt), desc(events.event))
    .limit(LISTED_REQUESTS);
  return rows.map(({ step, details, happenedAt }) => ({
    request: requestIn(details),
    by: textIn(details, 'by'),
    at: happenedAt.toISOString(),
    step: step ?? 0,
    from: details?.['from'] ?? null,
    to: details?.['to'] ?? null,
  }));
}

function textIn(details: JsonObject | null, field: string): string {
  const value = details?.[field];
  return typeof value === 'string' ? value : '';
}

function requestIn(details: JsonObject | null): RunRequest {
  const found = RUN_REQUESTS.find((request) => request === details?.['request']);
  if (found === undefined) throw new Error('an event of a request names none');
  return found;
}
