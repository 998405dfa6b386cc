import type { RunRow } from '../db/runs.ts';
import { halfLifeSteps } from '../dscl/importance.ts';

/** Half-life of an importance under a run's configuration, in steps; null: it keeps its value until the next visit (ablation). */
export function importanceHalfLife({
  config,
  corpusSamples,
}: Pick<RunRow, 'config' | 'corpusSamples'>): number | null {
  const { ablate, halfLifeEpochs } = config.sampling;
  return ablate.includes('staleness')
    ? null
    : halfLifeSteps(halfLifeEpochs, corpusSamples, config.trainBatchSize);
}
