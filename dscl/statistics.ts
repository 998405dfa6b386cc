import { ToolsampleError } from '../contracts/errors.ts';
import type { SampleStatistics } from '../contracts/sampling.ts';
import { mean, sampleVariance } from './moments.ts';

/**
 * What is known of a sample after one more visit. [paper: the three statistics; ours: `still`]
 *
 * @param previous null before the first visit.
 * @param rewards *unweighted* rewards of the visit's group, G ≥ 2 of them: weighted ones would drift with the curriculum.
 * @param step global step of the visit.
 * @throws ToolsampleError `config` for fewer than two rewards: they have no variance.
 */
export function visitSample(
  previous: SampleStatistics | null,
  rewards: readonly number[],
  step: number,
): SampleStatistics {
  if (rewards.length < 2) {
    throw new ToolsampleError('config', `a group of ${rewards.length} has no variance`, {
      at: { field: 'numGenerations' },
      hint: 'use at least 2 completions a prompt',
    });
  }
  const groupMean = mean(rewards);
  const withinVariance = sampleVariance(rewards);
  const visits = (previous?.visits ?? 0) + 1;
  const before = previous?.meanOfMeans ?? 0;
  const meanOfMeans = before + (groupMean - before) / visits;
  const m2OfMeans = (previous?.m2OfMeans ?? 0) + (groupMean - before) * (groupMean - meanOfMeans);
  return {
    visits,
    mean: groupMean,
    withinVariance,
    epochVariance: m2OfMeans / visits,
    meanOfMeans,
    m2OfMeans,
    still: withinVariance === 0 ? (previous?.still ?? 0) + 1 : 0,
    groupSize: rewards.length,
    lastStep: step,
  };
}
