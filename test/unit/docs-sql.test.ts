import { readFileSync } from 'node:fs';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sqlQuestions } from '../../bench/sql-questions.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { Connection } from '../../db/connection.ts';
import { commitEvaluation, commitEvaluationChunk } from '../../db/evaluations.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import { takeStep } from './support/scratch-steps.ts';

const QUESTIONS = sqlQuestions(readFileSync(new URL('../../docs/sql.md', import.meta.url), 'utf8'));
const RUN = 'night-1';
const G = 8;
const STEPS = 6;
const SAMPLES = scratchSamples(20);
const SETTINGS = {
  trainBatchSize: 5,
  numGenerations: G,
  evalSchedule: 'none',
  sampling: { activationPatience: 1 },
  seed: 7,
} satisfies RunConfigInput;

const server = scratchServer();
let connection: Connection;

beforeAll(async () => {
  connection = await server.migrated();
  await scratchRun(connection.db, RUN, SAMPLES, SETTINGS);
  await evaluate(0, 0.4);
  for (let step = 1; step <= STEPS; step++) {
    await takeStep(connection, { run: RUN, epoch: 1, step }, G);
  }
  await evaluate(STEPS, 0.9);
  // A sample that is solved at its first visit and never again.
  await connection.db.execute(sql`
    update groups set exact_match = case when visit = 1 then 1 else 0 end
    from sample_lifecycle l
    where groups.run = ${RUN} and l.run = groups.run and l.sample_id = groups.sample_id and l.step = groups.step
      and groups.sample_id =
        (select sample_id from sample_statistics where run = ${RUN} order by visits desc limit 1)`);
}, 240_000);
afterAll(async () => {
  await connection.close();
});

async function evaluate(step: number, exactMatch: number): Promise<void> {
  const key = { run: RUN, step, split: 'heldout', epoch: step === 0 ? 0 : 1 };
  const scores = { scoreFormat: 1, scoreName: 1, scoreKey: 1, scoreValue: 0.5 };
  const { rows } = await connection.db.execute<{ corpus: string; sample_id: string }>(
    sql`select corpus, sample_id from samples`,
  );
  await commitEvaluationChunk(
    connection.db,
    key,
    rows.map(({ corpus, sample_id }, index) => ({
      corpus,
      sampleId: sample_id,
      completion: '<tool_call>\n{"name": "a", "parameters": {"b": 1}}\n</tool_call>',
      completionTokens: 20,
      exactMatch: index < exactMatch * rows.length,
      reward: 2,
      ...scores,
    })),
  );
  await commitEvaluation(connection.db, key, {
    n: rows.length,
    exactMatch,
    exactMatchLow: exactMatch - 0.1,
    exactMatchHigh: exactMatch + 0.1,
    reward: 2,
    ...scores,
    evaluationSeconds: 1,
  });
}

it('docs/sql.md asks ten questions', () => {
  expect(QUESTIONS).toHaveLength(10);
});

describe('each query of docs/sql.md', () => {
  it.each(QUESTIONS)('$query', async ({ query, answer }) => {
    const { rows, fields } = await connection.pool.query(query);
    const [header = ''] = answer.split('\n');
    expect(fields.map(({ name }) => name)).toEqual(header.trim().split(/ +/));
    expect(rows.length).toBeGreaterThan(0);
    const filled = fields.filter(({ name }) => rows.some((row) => row[name] !== null));
    // A run that has not ended has no time of its end.
    const expected = fields.filter(({ name }) => name !== 'seconds_in_all');
    expect(filled.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
  });
});
