import { afterAll, beforeAll, expect, it } from 'vitest';
import { changeSettings } from '../../activities/change-settings.ts';
import { recordOutcome } from '../../activities/record-outcome.ts';
import { recordRequest } from '../../activities/record-request.ts';
import { selectBatch } from '../../activities/select-batch.ts';
import type { RequestKey } from '../../contracts/activities.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { Connection } from '../../db/connection.ts';
import { eventsOf } from '../../db/events.ts';
import { runStatus } from '../../db/run-status.ts';
import { readRunAt } from '../../db/setting-changes.ts';
import { settingsFromText } from '../../services/configuration/change.ts';
import { scratchArtifacts } from './support/scratch-artifacts.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const server = scratchServer();
const artifacts = await scratchArtifacts();
let connection: Connection;

beforeAll(async () => {
  connection = await server.migrated();
});
afterAll(async () => {
  await connection.close();
});

function key(run: string, request: string): RequestKey {
  return { run, request, by: 'ada', via: 'update' };
}

async function set(
  run: string,
  request: string,
  settings: { readonly [name: string]: JsonValue },
): ReturnType<typeof changeSettings> {
  return changeSettings({ ...connection, artifacts }, { ...key(run, request), settings });
}

/** The batch of a step, selected; its curriculum is there only for step 1. */
async function selectFirst(run: string): ReturnType<typeof selectBatch> {
  return selectBatch(connection, { run, epoch: 1, step: 1 });
}

it('changes settings from the first step on that is not selected, once, and records from and to', async () => {
  const run = 'changed';
  const { db } = connection;
  await scratchRun(db, run, scratchSamples(16), { trainBatchSize: 4, learningRate: 1e-3 });
  await selectFirst(run);
  const first = await set(run, 'a', { lr: 1e-4, 'sampling.uniform_share': 0.3, temperature: 1 });
  expect(first).toEqual({
    step: 0,
    // The temperature is 1 already.
    changes: [
      { key: 'learningRate', from: 1e-3, to: 1e-4, fromStep: 2 },
      { key: 'sampling.uniformShare', from: 0.1, to: 0.3, fromStep: 2 },
    ],
  });
  // As after a crash between the commit and the answer.
  expect(await set(run, 'a', { lr: 1e-4, 'sampling.uniform_share': 0.3 })).toEqual(first);
  // Of two changes for the same step the later one holds.
  await set(run, 'b', { learningRate: 5e-5 });

  expect((await readRunAt(db, run, 1)).config).toMatchObject({ learningRate: 1e-3 });
  const { config } = await readRunAt(db, run, 2);
  expect(config).toMatchObject({
    learningRate: 5e-5,
    sampling: { uniformShare: 0.3, halfLifeEpochs: 2 },
  });
  const status = await runStatus(db, run);
  expect(status.settings.map(({ key: name, from, to }) => [name, from, to])).toEqual([
    ['learningRate', 1e-3, 1e-4],
    ['sampling.uniformShare', 0.1, 0.3],
    ['learningRate', 1e-4, 5e-5],
  ]);
  expect(status.requests.map(({ request, by, to }) => ({ request, by, to }))).toEqual([
    { request: 'set', by: 'ada', to: { learningRate: 5e-5 } },
    { request: 'set', by: 'ada', to: { learningRate: 1e-4, 'sampling.uniformShare': 0.3 } },
  ]);
  const [event] = (await eventsOf(db, run)).filter(({ event: name }) => name === 'request/a');
  expect(event).toMatchObject({
    kind: 'request',
    step: 0,
    details: { request: 'set', via: 'update', from: { learningRate: 1e-3 } },
  });
});

it('goes to a service that has moved at once, also in the step under way and the last one', async () => {
  const run = 'moved';
  const { db } = connection;
  const [there, elsewhere] = ['http://there:1', 'http://elsewhere:2'];
  await scratchRun(db, run, scratchSamples(4), {
    backend: 'tinker',
    policy: '/tokenizer',
    tinkerBaseUrl: there,
    trainBatchSize: 4,
    numTrainEpochs: 1,
  });
  await selectFirst(run);
  await set(run, 'a', { tinker_base_url: elsewhere, learning_rate: 1e-6 });
  expect((await readRunAt(db, run, 1)).config).toMatchObject({
    tinkerBaseUrl: elsewhere,
    learningRate: 1e-4,
  });
  // The cold start, if there were one.
  expect((await readRunAt(db, run, 0)).config.tinkerBaseUrl).toBe(elsewhere);
  await connection.pool.query('update runs set total_steps = 1 where run = $1', [run]);
  const planned = (await readRunAt(db, run, 1)).evaluateAt;
  await set(run, 'b', { tinker_base_url: there });
  const moved = await readRunAt(db, run, 1);
  expect(moved.config.tinkerBaseUrl).toBe(there);
  expect(moved.evaluateAt).toEqual(planned);
  await expect(set(run, 'c', { learning_rate: 1e-5 })).rejects.toThrow(/no step left/);
});

it('plans evaluations anew from that step on, and leaves the earlier ones as they were', async () => {
  const run = 'evaluated';
  const { db } = connection;
  await scratchRun(db, run, scratchSamples(16), {
    trainBatchSize: 4,
    numTrainEpochs: 3,
    evalSchedule: 'none',
  });
  expect(await selectFirst(run)).toMatchObject({ evaluate: [] });
  await set(run, 'a', { eval_schedule: 1 });
  // Step 1 was selected before: whoever selects it again gets the same answer.
  expect(await selectFirst(run)).toMatchObject({ evaluate: [] });
  const { evaluateAt } = await readRunAt(db, run, 2);
  expect(evaluateAt).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

it.each([
  [{ lerning_rate: 1 }, /"lerning_rate": unknown key — did you mean learning_rate\?/],
  [{ learning_rate: 7 }, /"learning_rate": must be a number from 0 to 1, not 7/],
  [{ learning_rate: '1e-x' }, /must be a number from 0 to 1, not "1e-x"/],
  [{ policy: 'random' }, /"policy": cannot change while a run is under way — .*start a new run/],
  [{ max_steps: 9 }, /"max_steps": cannot change while a run is under way — .*follows from it/],
  [{ micro_batch_tokens: 4 }, /4 tokens do not hold one sequence/],
  [{ temperature: 1, lr: 4e-4 }, /temperature, learningRate: already so/],
])('refuses %j, and stores nothing', async (settings, message) => {
  const run = `refused-${JSON.stringify(settings)}`;
  const { db } = connection;
  await scratchRun(db, run, scratchSamples(16), { trainBatchSize: 4, learningRate: 4e-4 });
  await expect(set(run, 'a', settings)).rejects.toThrow(message);
  expect((await runStatus(db, run)).settings).toEqual([]);
  expect(await eventsOf(db, run)).toEqual([]);
});

it('shows what was asked until it has come about, whichever is recorded first', async () => {
  const run = 'asked';
  const { db } = connection;
  await scratchRun(db, run, scratchSamples(16), { trainBatchSize: 4 });
  const ask = async (kind: 'pause' | 'continue' | 'stop', request: string): Promise<void> => {
    await recordRequest(connection, { ...key(run, request), kind, from: 'running', to: kind });
  };
  const seen = async () => {
    const { state, requested } = await runStatus(db, run);
    return [state, requested];
  };
  await ask('pause', 'a');
  expect(await seen()).toEqual(['running', 'pause']);
  await recordOutcome(connection, { run, state: 'paused', reason: 'paused after step 0' });
  expect(await seen()).toEqual(['paused', null]);
  // Recorded late: it waits already.
  await ask('pause', 'b');
  expect(await seen()).toEqual(['paused', null]);
  await ask('stop', 'c');
  expect(await seen()).toEqual(['paused', 'stop']);
  await ask('continue', 'd');
  expect(await seen()).toEqual(['paused', null]);
  expect((await runStatus(db, run)).requests.map(({ request }) => request).sort()).toEqual([
    'continue',
    'pause',
    'pause',
    'stop',
  ]);
});

it('reads values as the flags of train do', () => {
  expect(
    settingsFromText(['lr=1e-4', 'eval_schedule=epoch', 'mask-truncated-completions=false', 'x=1']),
  ).toEqual({ lr: 1e-4, eval_schedule: 'epoch', 'mask-truncated-completions': false, x: '1' });
  expect(() => settingsFromText(['lr'])).toThrow('"lr" is not of the form key=value');
  expect(() => settingsFromText(['lr=1', 'lr=2'])).toThrow('field "lr": is given twice');
});
