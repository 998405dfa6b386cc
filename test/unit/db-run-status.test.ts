import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EvaluationKey } from '../../contracts/activities.ts';
import { Z_95 } from '../../contracts/confidence.ts';
import type { Connection } from '../../db/connection.ts';
import { commitEvaluation, commitEvaluationChunk } from '../../db/evaluations.ts';
import { runStatus } from '../../db/run-status.ts';
import { readRun, runIds, setRunState } from '../../db/runs.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const SAMPLES = scratchSamples(8);
const SCORES = { scoreFormat: 1, scoreName: 1, scoreKey: 1, scoreValue: 1 };

const server = scratchServer();
let connection: Connection;
beforeAll(async () => {
  connection = await server.migrated();
});
afterAll(async () => {
  await connection.close();
});

async function evaluate(run: string, step: number, rewards: readonly number[]): Promise<void> {
  const { db } = connection;
  const key: EvaluationKey = { run, step, split: 'heldout', epoch: 1 };
  const { corpus } = await readRun(db, run);
  await commitEvaluationChunk(
    db,
    key,
    rewards.map((reward, index) => ({
      sampleId: SAMPLES[index]?.id ?? '',
      corpus,
      completion: '',
      completionTokens: 1,
      exactMatch: false,
      reward,
      ...SCORES,
    })),
  );
  await commitEvaluation(db, key, {
    n: rewards.length,
    exactMatch: 0,
    exactMatchLow: 0,
    exactMatchHigh: 0.5,
    reward: rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length,
    ...SCORES,
    evaluationSeconds: 1,
  });
}

async function halfWidths(run: string): Promise<number[]> {
  const { evaluations } = await runStatus(connection.db, run);
  return evaluations.map(({ rewardLow, rewardHigh }) => (rewardHigh - rewardLow) / 2);
}

it('tells how sure evaluations are without going through their samples again', async () => {
  await scratchRun(connection.db, 'watched', SAMPLES, {});
  await evaluate('watched', 0, [1, 2, 3, 4]);
  await evaluate('watched', 1, [1, 1, 1, 5]);
  await evaluate('watched', 2, [4]);
  const error = Math.sqrt(5 / 3) / 2;
  const widths = [Z_95 * error, Z_95, 0].map((width) => expect.closeTo(width, 12));
  expect(await halfWidths('watched')).toEqual(widths);

  // As a worker of an older version commits one.
  await connection.pool.query('update evaluations set reward_error = null where step <> 1');
  expect(await halfWidths('watched')).toEqual(widths);

  await connection.pool.query('delete from evaluation_samples where step = 1');
  expect(await halfWidths('watched')).toEqual(widths);
});

it('lists the ids of runs newest first, of those in some states alone where asked', async () => {
  const { db } = connection;
  await connection.pool.query("update runs set started_at = '2026-01-01'");
  for (const [run, day] of [
    ['b', 3],
    ['c', 2],
    ['a', 3],
  ] as const) {
    await scratchRun(db, run, SAMPLES, {});
    await connection.pool.query(
      'update runs set started_at = make_date(2026, 2, $2) where run = $1',
      [run, day],
    );
  }
  await setRunState(db, 'b', 'stopped', null);
  await setRunState(db, 'c', 'paused', null);
  expect(await runIds(db)).toEqual(['a', 'b', 'c', 'watched']);
  expect(await runIds(db, ['paused', 'stopped'])).toEqual(['b', 'c']);
});
