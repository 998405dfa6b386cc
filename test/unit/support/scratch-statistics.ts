import { hashSeed, seededRandom } from '../../../contracts/hash.ts';
import type { Sample } from '../../../contracts/sample.ts';
import type { SampleStatistics } from '../../../contracts/sampling.ts';
import { assessed } from '../../../activities/sample-assessment.ts';
import type { Database } from '../../../db/connection.ts';
import { readRun } from '../../../db/runs.ts';
import { writeStatistics } from '../../../db/sample-statistics.ts';

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
  const { corpus, config } = await readRun(db, run);
  const rows = [...known].map(([sampleId, statistics]) => ({
    sampleId,
    ...assessed(statistics, SCRATCH_RANGE, config),
  }));
  await writeStatistics(db, run, corpus, rows);
}
