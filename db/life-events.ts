import { and, desc, eq, inArray, sql } from 'drizzle-orm';
import { committedStep } from './checkpoints.ts';
import type { Database } from './connection.ts';
import { recordEvent, type EventRow, type NewEvent } from './events.ts';
import { events } from './schema/runs.ts';

/** Turns that a run takes, some of them again and again after the same step. */
const TURNS = ['running', 'paused', 'stopped', 'failed', 'resumed'] as const;

export type Turn = Pick<NewEvent, 'message' | 'details'> & {
  readonly kind: (typeof TURNS)[number];
  readonly step: number;
};

/**
 * Records a turn, the first after its step as `paused/12`, the next ones as `paused/12/2` and so on. To be called with the run locked, and
 * only where its state shows that no earlier attempt has recorded this one.
 */
export async function recordTurn(tx: Database, run: string, turn: Turn): Promise<void> {
  const { kind, step } = turn;
  const earlier = await tx.$count(
    events,
    and(eq(events.run, run), eq(events.kind, kind), eq(events.step, step)),
  );
  const event = earlier === 0 ? `${kind}/${step}` : `${kind}/${step}/${earlier + 1}`;
  await recordEvent(tx, run, { ...turn, event });
}

/** The turn that a run took last; null before its first. */
export async function lastTurn(db: Database, run: string): Promise<EventRow | null> {
  const [row] = await db
    .select()
    .from(events)
    .where(and(eq(events.run, run), inArray(events.kind, TURNS)))
    .orderBy(desc(events.happenedAt), desc(events.event))
    .limit(1);
  return row ?? null;
}

/** How far the work of a run has come. */
export interface WorkDone {
  /** Last one that is committed; 0 before the first. */
  readonly step: number;
  /** Pieces of work committed since: slices of the cold start, samples evaluated, parts of the step under way. */
  readonly pieces: number;
}

export async function workDone(db: Database, run: string): Promise<WorkDone> {
  const step = await committedStep(db, run);
  const behind = sql`run = ${run} and step = ${step}`;
  const underWay = sql`run = ${run} and step = ${step + 1}`;
  const { rows } = await db.execute<{ pieces: string }>(sql`
    select (select count(*) from checkpoints where ${behind})
      + (select count(*) from evaluation_samples where ${behind})
      + (select count(*) from steps where ${underWay})
      + (select count(*) from steps where ${underWay} and state <> 'selected')
      + (select count(*) from rounds where ${underWay})
      + (select count(*) from rollout_shards where ${underWay})
      + (select count(*) from gradient_shards where ${underWay}) as pieces`);
  return { step, pieces: Number(rows[0]?.pieces ?? 0) };
}
