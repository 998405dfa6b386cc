import { drizzle } from 'drizzle-orm/node-postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { markResumed } from '../../activities/mark-resumed.ts';
import { recordOutcome } from '../../activities/record-outcome.ts';
import { selectBatch } from '../../activities/select-batch.ts';
import { commitCheckpoint } from '../../db/checkpoints.ts';
import type { Connection } from '../../db/connection.ts';
import { eventsOf, recordEvent } from '../../db/events.ts';
import { runMarks } from '../../dashboard/model/run-marks.ts';
import { detail } from './support/run-points.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRollouts, scratchRun, scratchSamples } from './support/scratch-run.ts';
import { takeStep } from './support/scratch-steps.ts';

const G = 8;
const SAMPLES = scratchSamples(16);
const CONFIG = { trainBatchSize: 4, numGenerations: G, rolloutShardSize: 2 };
const server = scratchServer();
let connection: Connection;

beforeAll(async () => {
  connection = await server.migrated();
});
afterAll(async () => {
  await connection.close();
});

/** As an activity whose first attempt commits and is lost: another one does it again. */
async function twice(attempt: () => Promise<void>): Promise<void> {
  await attempt();
  await attempt();
}

async function atOnce(attempt: () => Promise<void>): Promise<void> {
  await Promise.all([attempt(), attempt(), attempt()]);
}

async function turn(run: string, state: 'paused' | 'running' | 'stopped' | 'failed') {
  await twice(async () => recordOutcome(connection, { run, state, reason: '' }));
}

async function resume(run: string): Promise<void> {
  await twice(async () => markResumed(connection.db, run));
}

async function keys(run: string): Promise<string[]> {
  return (await eventsOf(connection.db, run)).map(({ event }) => event);
}

/** A slice of the cold start: step 0, as every other one of it. */
async function slice(run: string, number: number): Promise<void> {
  const policy = { base: { sha256: 'a'.repeat(64), bytes: 1 }, weights: null, optimizer: null };
  const numbers = { optimizerSteps: 1, loss: 1, trainedTokens: 1, seconds: 1 };
  const key = { run, step: 0, slice: number };
  await commitCheckpoint(connection.db, key, { policy, ...numbers }, null);
}

it('every turn that a run takes is told, once, also where it comes again after the same step', async () => {
  const run = 'cold-start';
  await scratchRun(connection.db, run, SAMPLES, CONFIG);
  // The first attempt to prepare it was lost: nothing was interrupted.
  await resume(run);
  expect(await keys(run)).toEqual([]);
  await slice(run, 1);
  await turn(run, 'paused');
  await turn(run, 'running');
  await slice(run, 2);
  await turn(run, 'paused');
  await turn(run, 'running');
  await turn(run, 'failed');
  await resume(run);
  await turn(run, 'failed');
  await resume(run);
  expect(await keys(run)).toEqual([
    'paused/0',
    'running/0',
    'paused/0/2',
    'running/0/2',
    'failed/0',
    'resumed/0',
    'failed/0/2',
    'resumed/0/2',
  ]);
  await slice(run, 3);
  await resume(run);
  await slice(run, 4);
  await resume(run);
  expect((await keys(run)).slice(-2)).toEqual(['resumed/0/3', 'resumed/0/4']);
});

it('a crash looks like one, whatever happened after an earlier step', async () => {
  const run = 'crashes';
  const { db } = connection;
  await scratchRun(db, run, SAMPLES, CONFIG);
  await takeStep(connection, { run, epoch: 1, step: 1 }, G);
  await resume(run);
  await turn(run, 'stopped');
  await resume(run);
  await takeStep(connection, { run, epoch: 1, step: 2 }, G);
  await resume(run);
  const key = { run, epoch: 1, step: 3 };
  await selectBatch(connection, key);
  await resume(run);
  await scratchRollouts(db, { ...key, round: 0, shard: 0 }, G);
  await resume(run);
  expect(await keys(run)).toEqual([
    'resumed/1',
    'stopped/1',
    'resumed/1/2',
    'resumed/2',
    'resumed/2/2',
    'resumed/2/3',
  ]);
  const events = (await eventsOf(db, run)).map(({ happenedAt, ...event }) => ({
    ...event,
    at: happenedAt.toISOString(),
  }));
  const marks = runMarks(detail([], { events, coldStart: [] }), []);
  expect(marks.map(({ step, kind }) => [step, kind])).toEqual([
    [1, 'lost'],
    [1, 'stopped'],
    [1, 'resumed'],
    [2, 'lost'],
    [2, 'lost'],
    [2, 'lost'],
  ]);
});

it('goes on from the events of an older version, which had no counts', async () => {
  const run = 'older';
  const { db } = connection;
  await scratchRun(db, run, SAMPLES, CONFIG);
  await takeStep(connection, { run, epoch: 1, step: 1 }, G);
  await recordEvent(db, run, { event: 'stopped/1', kind: 'stopped', step: 1, message: 'stopped' });
  await recordEvent(db, run, { event: 'resumed/1', kind: 'resumed', step: 1, message: 'resumed' });
  // It tells nothing of the pieces since: as that version would have it.
  await resume(run);
  await turn(run, 'stopped');
  await resume(run);
  expect(await keys(run)).toEqual(['stopped/1', 'resumed/1', 'stopped/1/2', 'resumed/1/2']);
});

it('is told once by two attempts at a time, and as a whole or not at all', async () => {
  const run = 'raced';
  await scratchRun(connection.db, run, SAMPLES, CONFIG);
  await takeStep(connection, { run, epoch: 1, step: 1 }, G);
  await atOnce(async () => recordOutcome(connection, { run, state: 'failed', reason: '' }));
  await atOnce(async () => markResumed(connection.db, run));
  expect(await keys(run)).toEqual(['failed/1', 'resumed/1']);

  let countdown = Infinity;
  const logQuery = (query: string): void => {
    if (!/^begin|^rollback/.test(query) && --countdown === 0) throw new Error('killed');
  };
  const db = drizzle(connection.pool, { logger: { logQuery } });
  let deaths = 0;
  const untilDone = async (attempt: () => Promise<void>): Promise<void> => {
    for (let statement = 1; ; statement++) {
      countdown = statement;
      try {
        await attempt();
        break;
      } catch (error) {
        if (!/killed/.test(String(error))) throw error;
        deaths++;
      }
    }
  };
  await untilDone(async () => recordOutcome({ db }, { run, state: 'failed', reason: '' }));
  await untilDone(async () => markResumed(db, run));
  expect(await keys(run)).toEqual(['failed/1', 'resumed/1', 'failed/1/2', 'resumed/1/2']);
  expect(deaths).toBeGreaterThan(8);
});
