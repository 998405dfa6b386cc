import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importanceHalfLife } from '../../activities/importance-half-life.ts';
import { prepareFork } from '../../activities/prepare-fork.ts';
import { reserveBySums, reservePermuted } from '../../activities/reserve-from-large-corpus.ts';
import { selectBatch } from '../../activities/select-batch.ts';
import { usableSamples } from '../../activities/usable-samples.ts';
import { chiSquare } from '../../bench/chi-square.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { SampleStatistics } from '../../contracts/sampling.ts';
import type { DynamicSelection } from '../../db/batch-selection.ts';
import type { Connection } from '../../db/connection.ts';
import { ingestCorpus } from '../../db/corpus-ingestion.ts';
import { groupsOfStep } from '../../db/groups.ts';
import { makeSums, readTotals, updateSums, type SumsOf } from '../../db/importance-sums.ts';
import { proposedSamples } from '../../db/proposed-samples.ts';
import { readRun } from '../../db/runs.ts';
import { insertStep } from '../../db/steps.ts';
import { drawProposals, envelope, evenDraw } from '../../dscl/proposals.ts';
import { chances } from '../../dscl/selection.ts';
import { forkInput } from '../../services/configuration/fork-input.ts';
import { scratchArtifacts } from './support/scratch-artifacts.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import {
  randomStatistics,
  SOLVED,
  staleImportances,
  storeStatistics,
} from './support/scratch-statistics.ts';
import { takeStep } from './support/scratch-steps.ts';

/** Five parts of the upper level, the last one small. */
const N = 4_200;
const STEP = 40;
const SAMPLES = scratchSamples(N);
const PLAIN = { sampler: 'dscl', seed: 3, trainBatchSize: 8 } satisfies RunConfigInput;

const server = scratchServer();
const artifacts = await scratchArtifacts();
let connection: Connection;

beforeAll(async () => {
  connection = await server.migrated();
});

afterAll(async () => {
  await connection.close();
});

/** A run that picks by sums, with statistics of two thirds of its samples, or those given. */
async function largeRun(
  run: string,
  input: RunConfigInput = PLAIN,
  known: ReadonlyMap<string, SampleStatistics> = randomStatistics(SAMPLES, STEP, 1),
  samples = SAMPLES,
) {
  const { db, pool } = connection;
  await scratchRun(db, run, samples, input);
  await pool.query(`update runs set selection = 'sums' where run = $1`, [run]);
  await storeStatistics(db, run, known);
  const row = await readRun(db, run);
  const { config, corpus, corpusSamples } = row;
  const of: SumsOf = { run, corpusSamples, halfLife: importanceHalfLife(row) };
  await db.transaction((tx) => makeSums(tx, of));
  const selection: DynamicSelection = {
    run,
    epoch: 1,
    step: STEP,
    corpus,
    corpusSamples,
    seed: config.seed,
    groups: 60,
    uniformShare: config.sampling.uniformShare,
    temperature: config.sampling.temperature,
    halfLifeSteps: of.halfLife,
  };
  const options = { ...config.sampling, sampler: config.sampler };
  const importances = staleImportances(samples, known, options, {
    step: STEP,
    halfLife: of.halfLife,
  });
  return { of, selection, options, ...importances };
}

async function reserved(
  selection: DynamicSelection,
  reserve: typeof reserveBySums | typeof reservePermuted = reserveBySums,
) {
  const { run, step, epoch } = selection;
  await connection.db.transaction(async (tx) => {
    const found = { run, epoch, step, active: true, curriculumVersion: 0, groups: 0 };
    await insertStep(tx, found, { firstStep: 1, lastStep: 10_000 });
    await reserve(tx, selection);
  });
  const rows = await groupsOfStep(connection.db, selection);
  expect(rows.map(({ rank }) => rank)).toEqual(rows.map((_, index) => index));
  return rows;
}

async function sums(run: string): Promise<unknown[]> {
  const { rows } = await connection.pool.query<{ sums: string }>(
    `select (level, node, visited, fades_to, importance, highest, last_step, kept, kept_importance, half_life)::text as sums
     from importance_sums where run = $1 order by level, node`,
    [run],
  );
  return rows.map((row) => row.sums);
}

/** Sums over a hundred mixed parts of the corpus: of single samples too few are drawn. */
const inParts = (values: readonly number[]) =>
  Array.from({ length: 100 }, (_, part) =>
    values.reduce((sum, value, at) => (at % 100 === part ? sum + value : sum), 0),
  );

const SITUATIONS: readonly RunConfigInput[] = [
  PLAIN,
  { ...PLAIN, sampling: { temperature: 0.5, uniformShare: 0, halfLifeEpochs: 0.01 } },
  { ...PLAIN, sampling: { temperature: 3, ablate: ['staleness'] } },
  { ...PLAIN, sampler: 'difficulty', sampling: { halfLifeEpochs: 10_000 } },
];

describe.each(SITUATIONS.map((input, index) => ({ name: `large-${index}`, input })))(
  '$name',
  ({ name, input }) => {
    test('proposals come to the samples that the whole corpus has there, as often as p says', async () => {
      const { of, selection, average, stale, options } = await largeRun(name, input);
      const totals = await readTotals(connection.db, of, STEP);
      const mass = stale.reduce((sum, each) => sum + each, 0);
      expect(totals.average).toBeCloseTo(average, 12);
      expect(totals.total / mass).toBeCloseTo(1, 12);
      const rule = {
        runSeed: 3,
        step: STEP,
        corpusSamples: N,
        uniformShare: selection.uniformShare,
        envelope: envelope(options.temperature, { corpusSamples: N, ...totals }),
      };
      const proposals = drawProposals(rule, 0, 3_000);
      const found = await proposedSamples(
        connection.db,
        of,
        { step: STEP, average: totals.average },
        proposals,
      );
      const upTo: number[] = [];
      for (const each of stale) upTo.push((upTo.at(-1) ?? 0) + each);
      expect(found.map(({ ordinal }) => ordinal)).toEqual(
        proposals.map(
          ({ ordinal, position }) => ordinal ?? upTo.findIndex((sum) => sum > position * mass),
        ),
      );
      const taken: number[] = [];
      for (const [index, { ordinal, importance: stored }] of found.entries()) {
        expect(stored).toBeCloseTo(stale[ordinal] ?? Number.NaN, 12);
        if (proposals[index]!.threshold < rule.envelope.taken(stored)) taken.push(ordinal);
      }
      const counts = SAMPLES.map(() => 0);
      for (let draw = 0; taken.length > 0; draw++) {
        counts[evenDraw(rule, draw) ?? taken.pop() ?? 0]!++;
      }
      const { probabilities } = chances(stale, options);
      expect(chiSquare(inParts(counts), inParts(probabilities)).probability).toBeGreaterThan(0.001);
    });
  },
);

test('the same seed picks the same; more groups go on behind', async () => {
  const { selection } = await largeRun('same');
  const first = await reserved(selection);
  expect(new Set(first.map(({ sampleId }) => sampleId)).size).toBe(60);
  await connection.pool.query(`delete from groups where run = 'same'`);
  expect(await reserved(selection)).toEqual(first);
  await connection.pool.query(`delete from groups where run = 'same'`);
  expect((await reserved({ ...selection, groups: 200 })).slice(0, 60)).toEqual(first);
  await connection.pool.query(`delete from groups where run = 'same'`);
  expect(await reserved({ ...selection, seed: 4 })).not.toEqual(first);
});

test('pairs are drawn without replacement, one after the other', async () => {
  const samples = SAMPLES.slice(0, 4);
  const { selection, stale, options } = await largeRun(
    'pairs',
    { ...PLAIN, sampling: { ablate: ['staleness'] } },
    randomStatistics(samples, STEP, 5),
    samples,
  );
  const p = chances(stale, options).probabilities;
  const pairs = samples.flatMap((_, a) => samples.map((__, b) => ({ a, b })));
  const counts = pairs.map(() => 0);
  const place = new Map(samples.map(({ id }, index) => [id, index]));
  for (let step = 1; step <= 160; step++) {
    const rows = await reserved({ ...selection, step, groups: 2 });
    const [a = 0, b = 0] = rows.map(({ sampleId }) => place.get(sampleId));
    counts[a * samples.length + b]!++;
  }
  const expected = pairs.map(({ a, b }) => (a === b ? 0 : (p[a]! * p[b]!) / (1 - p[a]!)));
  expect(chiSquare(counts, expected).probability).toBeGreaterThan(0.001);
});

test('few samples have all of the importance: they come first, then others', async () => {
  const live = [7, 64, 4_199].map((index) => SAMPLES[index]?.id ?? '');
  const { selection } = await largeRun(
    'few',
    { ...PLAIN, sampling: { uniformShare: 0, ablate: ['staleness'] } },
    new Map(
      SAMPLES.map(({ id }) => [
        id,
        live.includes(id) ? { ...SOLVED, mean: 0, withinVariance: 4 } : SOLVED,
      ]),
    ),
  );
  const rows = await reserved(selection);
  expect(
    rows
      .slice(0, 3)
      .map(({ sampleId }) => sampleId)
      .toSorted(),
  ).toEqual(live.toSorted());
  expect(new Set(rows.map(({ sampleId }) => sampleId)).size).toBe(60);
});

test('nothing left of any importance: evenly', async () => {
  const { selection } = await largeRun(
    'solved',
    PLAIN,
    new Map(SAMPLES.map(({ id }) => [id, SOLVED])),
  );
  const rows = await reserved({ ...selection, groups: 400 });
  const counts = Array.from({ length: 10 }, () => 0);
  const place = new Map(SAMPLES.map(({ id }, index) => [id, index]));
  for (const { sampleId } of rows) counts[(place.get(sampleId) ?? 0) % 10]!++;
  expect(
    chiSquare(
      counts,
      counts.map(() => 0.1),
    ).probability,
  ).toBeGreaterThan(0.001);
});

test('where all that was visited is solved, others are left', async () => {
  const solved = SAMPLES.slice(0, 4_000).map(({ id }) => [id, SOLVED] as const);
  const { of } = await largeRun('some-solved', PLAIN, new Map(solved));
  const totals = await readTotals(connection.db, of, STEP);
  expect(totals).toEqual({ average: 0, highest: 0, total: 0, unvisited: 200 });
});

test('sums that follow visit by visit are those of the whole, whatever the half-life was before', async () => {
  const known = [...randomStatistics(SAMPLES, STEP, 9)].slice(0, 600);
  const { of } = await largeRun('followed', PLAIN, new Map(known.slice(0, 300)));
  for (let from = 200; from < 600; from += 100) {
    const visited = known.slice(from, from + 100).map(([id, each]) => {
      return [id, { ...each, lastStep: STEP + from }] as const;
    });
    await storeStatistics(connection.db, of.run, new Map(visited));
    const now =
      from === 400 ? { ...of, halfLife: 77 } : from > 400 ? { ...of, halfLife: null } : of;
    const ids = visited.map(([id]) => id);
    await connection.db.transaction((tx) => updateSums(tx, now, ids));
    const followed = await sums(of.run);
    await connection.db.transaction((tx) => makeSums(tx, now));
    expect(followed).toEqual(await sums(of.run));
    expect(followed.length).toBeGreaterThan(5);
  }
});

test('an epoch of permuted batches has every sample once, then begins again', async () => {
  const samples = SAMPLES.slice(0, 50);
  const { selection } = await largeRun('permuted', PLAIN, new Map(), samples);
  const picked: string[] = [];
  for (const step of [1, 2, 3, 4]) {
    const rows = await reserved({ ...selection, step, groups: 20 }, reservePermuted);
    picked.push(...rows.slice(0, 15).map(({ sampleId }) => sampleId));
    // Only what was rolled out counts: the other five were candidates.
    await connection.pool.query('update steps set groups = 15 where run = $1', [selection.run]);
  }
  expect(new Set(picked.slice(0, 50)).size).toBe(50);
  expect(picked.slice(50)).toEqual(picked.slice(0, 10));
});

test('whole steps of a run that picks by sums, and a fork of it: sums and picks follow from the statistics', async () => {
  const run = 'whole';
  await largeRun(
    run,
    { ...PLAIN, numGenerations: 4, maxBackfillRounds: 1, sampling: { activationPatience: 1 } },
    new Map(),
    SAMPLES.slice(0, 100),
  );
  for (let step = 1; step <= 5; step++) {
    await takeStep(connection, { run, epoch: 1, step }, 4);
    const again = await selectBatch(connection, { run, epoch: 1, step });
    expect(again.active).toBe(step > 1);
  }
  const followed = await sums(run);
  const row = await readRun(connection.db, run);
  const of = { run, corpusSamples: 100, halfLife: importanceHalfLife(row) };
  await connection.db.transaction((tx) => makeSums(tx, of));
  expect(await sums(run)).toEqual(followed);
  expect(followed.length).toBeGreaterThan(1);

  const fork = forkInput({ fork: { run, step: 5 } });
  await prepareFork({ ...connection, artifacts }, 'fork', fork!);
  expect(await sums('fork')).toEqual(followed);
  const picks = async (of: string) => {
    await selectBatch(connection, { run: of, epoch: 1, step: 6 });
    const rows = await groupsOfStep(connection.db, { run: of, epoch: 1, step: 6 });
    return rows.map((row) => ({ ...row, run: '' }));
  };
  expect(await picks('fork')).toEqual(await picks(run));
});

test('an import holds no more than what it tokenises and stores at a time', async () => {
  let read = 0;
  let given = 0;
  let most = 0;
  function* counted() {
    for (const sample of SAMPLES) {
      read++;
      most = Math.max(most, read - given);
      yield sample;
    }
  }
  const text = { promptLengths: (prompts: readonly unknown[]) => prompts.map(() => 1) };
  const limits = { promptLimit: 100, maxBadRows: 0 };
  const { samples } = usableSamples(counted(), text, limits);
  await connection.db.transaction(async (tx) => {
    const watched = async function* () {
      for await (const sample of samples) {
        given++;
        if (given % 500 === 0) {
          const { rows } = await tx.execute<{ n: number }>(
            sql`select count(*)::integer as n from staged_samples`,
          );
          expect(given - (rows[0]?.n ?? 0)).toBeLessThanOrEqual(1_000);
        }
        yield sample;
      }
    };
    expect(await ingestCorpus(tx, 'streamed', watched())).toMatchObject({ samples: N });
  });
  expect(most).toBeLessThanOrEqual(64);
});
