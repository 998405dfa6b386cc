import { drizzle } from 'drizzle-orm/node-postgres';
import { importanceHalfLife } from '../activities/importance-half-life.ts';
import { reserveBySums } from '../activities/reserve-from-large-corpus.ts';
import type { Connection } from '../db/connection.ts';
import { readRun, type RunRow } from '../db/runs.ts';
import { insertStep } from '../db/steps.ts';
import { chiSquare, type ChiSquare } from './chi-square.ts';

/** Few enough that drawing without replacement makes no difference, with a seed each. */
const GROUPS = 24;
const BATCHES = 400;

/**
 * How the picks of a run's first step, under many seeds, agree with p of every sample of the corpus, which is computed here from all of
 * them: in a hundred parts by importance and by place.
 */
export async function corpusDistribution(connection: Connection, run: string): Promise<ChiSquare> {
  const row = await readRun(connection.db, run);
  const picks: string[] = [];
  for (let seed = 0; seed < BATCHES; seed++) picks.push(...(await picksOf(connection, row, seed)));
  const { uniformShare } = row.config.sampling;
  const { rows } = await connection.pool.query<{ p: number; picks: number }>(
    `with known as (
      select s.ordinal, s.sample_id, t.importance, t.fades_to,
        1 - t.last_step as age
      from samples s left join sample_statistics t on t.run = $1 and t.sample_id = s.sample_id
      where s.corpus = $2
    ),
    average as (select coalesce(avg(importance), 1) as importance from known),
    stale as (
      select ordinal, sample_id, case when age is null then average.importance else
        known.fades_to * average.importance
          + (known.importance - known.fades_to * average.importance) * 0.5::float8 ^ (age / $3::float8) end as importance
      from known cross join average
    ),
    total as (select sum(importance) as importance from stale),
    picks as (select sample_id, count(*) as times from unnest($6::text[]) picks (sample_id) group by sample_id)
    select sum((1 - $4::float8) * stale.importance / total.importance + $4::float8 / $5::float8) as p,
      sum(coalesce(picks.times, 0))::integer as picks
    from stale cross join total left join picks using (sample_id)
    group by least(9, floor(10 * stale.importance)), ordinal * 10 / $5::integer`,
    [run, row.corpus, importanceHalfLife(row), uniformShare, row.corpusSamples, picks],
  );
  return chiSquare(
    rows.map((part) => part.picks),
    rows.map(({ p }) => p),
  );
}

/** Of the first step with another seed; nothing of it stays. */
async function picksOf({ pool }: Connection, row: RunRow, seed: number): Promise<string[]> {
  const { run, corpus, corpusSamples, config } = row;
  const client = await pool.connect();
  try {
    await client.query('begin');
    const tx = drizzle(client);
    const step = { run, epoch: 1, step: 1, active: true, curriculumVersion: 0, groups: GROUPS };
    await insertStep(tx, step, { firstStep: 1, lastStep: 1 });
    const { uniformShare, temperature } = config.sampling;
    const halfLifeSteps = importanceHalfLife(row);
    await reserveBySums(tx, {
      run,
      epoch: 1,
      step: 1,
      corpus,
      corpusSamples,
      seed,
      groups: GROUPS,
      uniformShare,
      temperature,
      halfLifeSteps,
    });
    const { rows } = await client.query<{ id: string }>(
      'select sample_id as id from groups where run = $1 and step = 1',
      [run],
    );
    return rows.map(({ id }) => id);
  } finally {
    await client.query('rollback');
    client.release();
  }
}
