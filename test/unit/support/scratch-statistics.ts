import { hashSeed, seededRandom } from '../../../contracts/hash.ts';
import type { Sample } from '../../../contracts/sample.ts';
import type { SampleStatistics } from '../../../contracts/sampling.ts';
import { assessed } from '../../../activities/sample-assessment.ts';
import type { Database } from '../../../db/connection.ts';
import { readRun } from '../../../db/runs.ts';
import { writeStatistics } from '../../../db/sample-statistics.ts';
import {
  averageImportance,
  fading,
  staleImportance,
  type ImportanceOptions,
} from '../../../dscl/importance.ts';

/** Of the rewards of scratch samples. */
export const SCRATCH_RANGE = { min: -3, max: 4 };

/** Statistics as visits before a step leave them, for two thirds of the samples. */
export function randomStatistics(
  samples: readonly Sample[],
  step: number,
  seed: number,
): Map<string, SampleStatistics> {
  const known = new Map<string, SampleStatistics>();
  for (const { id } of samples) {
    const random = seededRandom(hashSeed('statistics', seed, id));
    if (random() < 1 / 3) continue;
    const visits = 1 + Math.floor(random() * 5);
    const kind = random();
    const mean = kind < 0.2 ? 4 : kind < 0.4 ? -3 : -3 + 7 * random();
    known.set(id, {
      visits,
      mean,
      withinVariance: kind < 0.5 ? 0 : 10 * random(),
      epochVariance: visits === 1 || kind < 0.6 ? 0 : 3 * random(),
      meanOfMeans: mean,
      m2OfMeans: 0,
      still: kind < 0.5 ? Math.min(visits, 1 + (visits % 2)) : 0,
      groupSize: 8,
      lastStep: 1 + Math.floor(random() * (step - 1)),
    });
  }
  return known;
}

/** Writes what a scratch run knows of its samples, assessed under its configuration. */
export async function storeStatistics(
  db: Database,
  run: string,
  known: ReadonlyMap<string, SampleStatistics>,
): Promise<void> {
  const row = await readRun(db, run);
  const rows = [...known].map(([sampleId, statistics]) => ({
    sampleId,
    ...assessed(statistics, SCRATCH_RANGE, row.config),
  }));
  await writeStatistics(db, row, rows);
}

/** Solved by every completion of its one visit: no importance. */
export const SOLVED: SampleStatistics = {
  visits: 1,
  mean: 4,
  withinVariance: 0,
  epochVariance: 0,
  meanOfMeans: 4,
  m2OfMeans: 0,
  still: 1,
  groupSize: 8,
  lastStep: 3,
};

/** Ī, and Ĩ of each sample at a step, as dscl/ has them. */
export function staleImportances(
  samples: readonly Sample[],
  known: ReadonlyMap<string, SampleStatistics>,
  options: ImportanceOptions,
  { step, halfLife }: { readonly step: number; readonly halfLife: number | null },
): { readonly average: number; readonly stale: readonly number[] } {
  const visited = samples.map(({ id }) => {
    const statistics = known.get(id);
    return statistics === undefined ? null : fading(statistics, SCRATCH_RANGE, options);
  });
  const average = averageImportance(visited.flatMap((each) => each?.importance ?? []));
  const stale = visited.map((each) =>
    each === null ? average : staleImportance(each, step, average, halfLife ?? Infinity),
  );
  return { average, stale };
}
