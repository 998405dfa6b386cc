import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordEvaluation } from '../../activities/record-evaluation.ts';
import type { Connection } from '../../db/connection.ts';
import {
  insertSuiteEvaluation,
  readSuiteEvaluation,
  setSuiteState,
} from '../../db/suite-evaluations.ts';
import { scratchServer } from './support/scratch-database.ts';

const server = scratchServer();
let connection: Connection;
beforeAll(async () => {
  connection = await server.migrated();
});
afterAll(async () => connection.close());

it('an evaluation that has ended ends again only once it went on', async () => {
  const { db } = connection;
  const evaluation = 'ended';
  await insertSuiteEvaluation(db, {
    evaluation,
    asked: {
      policy: 'builtin',
      policyName: 'builtin',
      suite: 'bfcl',
      data: '/data/bfcl',
      categories: ['simple'],
      limit: null,
      maxCompletionLength: 64,
      valueMatch: 'bfcl',
      maxBadRows: 0,
      shardSize: 8,
      device: 'cpu',
      threads: 1,
      inputs: 'a'.repeat(64),
    },
    policy: { base: { sha256: 'a'.repeat(64), bytes: 1 }, weights: null, optimizer: null },
    trainable: { mode: 'full', loraRank: 1, loraAlpha: 1, seed: 0 },
  });
  const record = async (state: 'failed' | 'stopped', reason: string) => {
    await recordEvaluation(connection, { evaluation, state, reason });
    const row = await readSuiteEvaluation(db, evaluation);
    return `${row.state}: ${row.reason}`;
  };
  expect(await record('failed', 'no memory')).toBe('failed: no memory');
  // Whoever asks something else under its name is refused before it is set running.
  expect(await record('stopped', 'exists, of something else')).toBe('failed: no memory');
  await setSuiteState(db, evaluation, 'running', null);
  expect(await record('stopped', 'as asked')).toBe('stopped: as asked');
});
