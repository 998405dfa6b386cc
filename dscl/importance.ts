import type { SampleStatistics, SamplingOptions } from '../contracts/sampling.ts';
import { CATEGORY_FACTORS, categorize } from './category.ts';
import { mean } from './moments.ts';
import { signals } from './signals.ts';
import type { RewardRange, Signals } from './signals.ts';

/** Visits in a row without variance after which a sample is at a standstill: as many as make a hard one dead. */
const STANDSTILL_VISITS = 2;

export type ImportanceOptions = Pick<
  SamplingOptions,
  'sampler' | 'ablate' | 'hardThreshold' | 'varianceThreshold'
>;

/**
 * What a sample is worth to the sampler right after its last visit, in [0, 1]:
 * `dscl` κ·(0.3·(1 − u) + 0.5·v + 0.2·e); `vcrl` v; `difficulty` 4u(1 − u). [ours]
 *
 * Ablated terms drop out and the other weights are scaled to sum to 1; without `categories`, κ = 1 whatever happens. Samplers that don't use
 * importance record DSCL's.
 */
export function importance(
  statistics: SampleStatistics,
  range: RewardRange,
  options: ImportanceOptions,
): number {
  const measured = signals(statistics, range);
  if (options.sampler === 'vcrl') return measured.within;
  if (options.sampler === 'difficulty') return 4 * measured.solved * (1 - measured.solved);
  return categoryFactor(statistics, range, options) * stillToGain(measured, options.ablate);
}

/**
 * Ī: the mean importance of the samples that were visited, at their last visits; 1 before any was. It is also what one never visited is worth,
 * since nothing else is known of it. [ours]
 */
export function averageImportance(visited: readonly number[]): number {
  return visited.length === 0 ? 1 : mean(visited);
}

/** What a visited sample is worth, and how that fades until it is visited again. */
export interface Fading {
  /** I at the last visit. */
  readonly importance: number;
  /** φ: what it fades to, as a share of the average. */
  readonly fadesTo: number;
  readonly lastStep: number;
}

/**
 * The importance of a visited sample with what it fades to: κ. So a mastered sample, which is mostly found mastered again, comes back by the
 * uniform share alone; `vcrl` and `difficulty` have no categories: 1. [ours]
 */
export function fading(
  statistics: SampleStatistics,
  range: RewardRange,
  options: ImportanceOptions,
): Fading {
  const hasCategories = options.sampler !== 'vcrl' && options.sampler !== 'difficulty';
  return {
    importance: importance(statistics, range, options),
    fadesTo: hasCategories ? categoryFactor(statistics, range, options) : 1,
    lastStep: statistics.lastStep,
  };
}

/**
 * κ of the category that a sample was last seen in; 0 at a standstill. What moved once keeps its variance over epochs, so a sample that nothing
 * can be learnt from any more, such as one with a wrong label, would seem worth a visit forever. [ours]
 */
function categoryFactor(
  statistics: SampleStatistics,
  range: RewardRange,
  options: ImportanceOptions,
): number {
  if (options.ablate.includes('categories')) return 1;
  if (statistics.still >= STANDSTILL_VISITS) return 0;
  return CATEGORY_FACTORS[categorize(statistics, range, options)];
}

function stillToGain(measured: Signals, ablate: SamplingOptions['ablate']): number {
  const terms = [
    { part: 'mean', weight: 0.3, term: 1 - measured.solved },
    { part: 'variance', weight: 0.5, term: measured.within },
    { part: 'epoch-variance', weight: 0.2, term: measured.across },
  ] as const;
  const kept = terms.filter(({ part }) => !ablate.includes(part));
  if (kept.length === 0) return 1;
  const sum = kept.reduce((total, { weight, term }) => total + weight * term, 0);
  // Without ablation the weights sum to 1 already; dividing by their rounded sum would only add noise.
  return kept.length === terms.length
    ? sum
    : sum / kept.reduce((total, { weight }) => total + weight, 0);
}

/** Half-life of an importance in steps: `halfLifeEpochs` times the steps that see as many groups as the corpus has samples. */
export function halfLifeSteps(
  halfLifeEpochs: number,
  corpusSamples: number,
  trainBatchSize: number,
): number {
  return (halfLifeEpochs * corpusSamples) / trainBatchSize;
}

/**
 * Ĩ = ρ^k·I + (1 − ρ^k)·φ·Ī: what was known k steps ago fades into its category's share of the average. [ours]
 *
 * @param average Ī: {@link averageImportance}
 * @param halfLife in steps; Infinity (ablation `staleness`) keeps I as it was.
 */
export function staleImportance(
  { importance: fresh, fadesTo: share, lastStep }: Fading,
  step: number,
  average: number,
  halfLife: number,
): number {
  const kept = 0.5 ** ((step - lastStep) / halfLife);
  return kept * fresh + (1 - kept) * share * average;
}
