import type { RunConfig } from '../contracts/config.ts';
import type { SampleStatistics } from '../contracts/sampling.ts';
import type { Database } from '../db/connection.ts';
import type { RunRow } from '../db/runs.ts';
import { rewardRanges, visits, writeStatistics } from '../db/sample-statistics.ts';
import { visitSample } from '../dscl/statistics.ts';
import { assessed } from './sample-assessment.ts';

/** Steps whose rewards are in memory at a time. */
const STEPS = 100;
/** Samples that are written at a time. */
const SAMPLES = 5_000;

export interface RebuildOptions {
  readonly of: Pick<RunRow, 'run' | 'corpus' | 'selection'>;
  /** Of the step that was learnt from last. */
  readonly step: number;
  /** The configuration of a step. */
  readonly configAt: (step: number) => RunConfig;
  /** Sampler and ablation under which all samples are assessed: they last for a whole run. */
  readonly sampler: RunConfig['sampler'];
  readonly ablate: RunConfig['sampling']['ablate'];
}

/**
 * Writes what a run that has none knows of its samples, from the rewards of all its steps: what learning step by step has led to, to the
 * bit. A sample is assessed under the thresholds that held at its last visit.
 */
export async function rebuildStatistics(tx: Database, options: RebuildOptions): Promise<void> {
  const { of, step } = options;
  const known = new Map<string, SampleStatistics>();
  for (let first = 1; first <= step; first += STEPS) {
    const last = Math.min(step, first + STEPS - 1);
    for (const visit of await visits(tx, of.run, first, last)) {
      const { sampleId, rewards } = visit;
      known.set(sampleId, visitSample(known.get(sampleId) ?? null, rewards, visit.step));
    }
  }
  const rows = [...known];
  for (let from = 0; from < rows.length; from += SAMPLES) {
    const batch = rows.slice(from, from + SAMPLES);
    const ranges = await rewardRanges(
      tx,
      of.corpus,
      batch.map(([sampleId]) => sampleId),
    );
    await writeStatistics(
      tx,
      of,
      batch.map(([sampleId, statistics]) => {
        const range = ranges.get(sampleId);
        if (range === undefined) throw new Error(`sample "${sampleId}" is not in the corpus`);
        const { sampling } = options.configAt(statistics.lastStep);
        const { sampler, ablate } = options;
        return {
          sampleId,
          ...assessed(statistics, range, { sampler, sampling: { ...sampling, ablate } }),
        };
      }),
    );
  }
}
