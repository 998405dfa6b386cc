import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../contracts/hash.ts';
import { reserveByImportance, reserveShuffled } from '../../db/batch-selection.ts';
import { connect, type Connection } from '../../db/connection.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { halfLifeSteps, staleImportance } from '../../dscl/importance.ts';
import { mean } from '../../dscl/moments.ts';
import { chances, pickByImportance, pickShuffled } from '../../dscl/selection.ts';
import { startScratchServer, type ScratchServer } from './support/scratch-database.ts';

/** The product picks batches in SQL; dscl/selection.ts says what it has to pick. */

const SAMPLES = 500;
const CORPUS = 'corpus';
const RUN = 'run';
const SEED = 20_251_124;

interface Known {
  readonly id: string;
  /** Null: never visited. */
  readonly importance: number | null;
  readonly lastStep: number;
}

let server: ScratchServer;
let connection: Connection;
let corpus: readonly Known[];

beforeAll(async () => {
  server = await startScratchServer();
  const url = await server.database();
  await migrateDatabase(url);
  // One connection, so that the setting below holds: rows of other tables don't matter here.
  connection = connect(url, { connections: 1 });
  await connection.pool.query('set session_replication_role = replica');
  const random = seededRandom(1);
  corpus = Array.from({ length: SAMPLES }, (_, i) => ({
    id: `sample-${i}`,
    importance: random() < 0.2 ? null : random() < 0.2 ? 0 : random(),
    lastStep: 1 + Math.floor(random() * 60),
  }));
  await connection.pool.query(
    `insert into samples (corpus, sample_id, ordinal, reward_min, reward_max, shape, source_format, source_name,
       source_row, messages, ground_truth, calls)
     select $1, id, place, -3, 4, 'call', 'test', 'test', place, '[]', '', '[]'
     from unnest($2::text[]) with ordinality as given (id, place)`,
    [CORPUS, corpus.map(({ id }) => id)],
  );
  const visited = corpus.filter(({ importance }) => importance !== null);
  await connection.pool.query(
    `insert into sample_statistics (run, corpus, sample_id, visits, mean, within_variance, epoch_variance, mean_of_means,
       m2_of_means, group_size, last_step, category, importance)
     select $1, $2, id, 1, 0, 0, 0, 0, 0, 8, step, 'active', importance
     from unnest($3::text[], $4::int[], $5::float8[]) as given (id, step, importance)`,
    [
      RUN,
      CORPUS,
      visited.map(({ id }) => id),
      visited.map(({ lastStep }) => lastStep),
      visited.map(({ importance }) => importance),
    ],
  );
});

afterAll(async () => {
  await connection.close();
  await server.stop();
});

const selection = (step: number, groups: number) => ({
  run: RUN,
  corpus: CORPUS,
  corpusSamples: SAMPLES,
  seed: SEED,
  epoch: 2,
  step,
  groups,
});

async function reserved(step: number) {
  const { rows } = await connection.pool.query<{ id: string; importance: number }>(
    'select sample_id as id, drawn_importance as importance from groups where step = $1 order by rank',
    [step],
  );
  return rows;
}

function faded(step: number, halfLife: number): { id: string; importance: number }[] {
  const average = mean(corpus.map(({ importance }) => importance ?? 1));
  return corpus.map(({ id, importance, lastStep }) => ({
    id,
    importance:
      importance === null ? 1 : staleImportance(importance, step - lastStep, average, halfLife),
  }));
}

test.each([
  { step: 61, groups: 20, uniformShare: 0.1, temperature: 1, stale: true },
  { step: 75, groups: 500, uniformShare: 0.1, temperature: 1, stale: true },
  { step: 76, groups: 40, uniformShare: 0, temperature: 0.5, stale: true },
  { step: 77, groups: 40, uniformShare: 0.3, temperature: 2, stale: false },
])('importance: step $step, τ $temperature, ε $uniformShare', async (given) => {
  const { step, groups, uniformShare, temperature, stale } = given;
  const halfLife = stale ? halfLifeSteps(2, SAMPLES, 16) : Number.POSITIVE_INFINITY;
  await reserveByImportance(connection.db, {
    ...selection(step, groups),
    uniformShare,
    temperature,
    halfLifeSteps: stale ? halfLife : null,
  });
  const samples = faded(step, halfLife);
  const { probabilities } = chances(
    samples.map(({ importance }) => importance),
    { uniformShare, temperature },
  );
  const expected = pickByImportance(
    samples.map(({ id }, i) => ({ id, probability: probabilities[i] ?? 0 })),
    { runSeed: SEED, step, count: groups },
  );
  const rows = await reserved(step);
  expect(rows.map(({ id }) => id)).toEqual(expected);
  const byId = new Map(samples.map(({ id, importance }) => [id, importance]));
  for (const { id, importance } of rows) expect(importance).toBeCloseTo(byId.get(id) ?? NaN, 12);
});

test('shuffle: goes through an epoch and starts over at its end', async () => {
  const count = 190;
  for (const [index, step] of [101, 102, 103].entries()) {
    await reserveShuffled(connection.db, selection(step, count));
    const rows = await reserved(step);
    const order = { runSeed: SEED, epoch: 2, offset: index * count, count };
    const ids = corpus.map(({ id }) => id);
    expect(rows.map(({ id }) => id)).toEqual(pickShuffled(ids, order));
    await connection.pool.query(
      `insert into steps (run, step, epoch, state, active, curriculum_version, groups) values ($1, $2, 2, 'committed', false, 0, $3)`,
      [RUN, step, count],
    );
    await connection.pool.query('update groups set round = 0 where step = $1', [step]);
  }
});
