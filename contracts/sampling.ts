/** How the prompts of a step are chosen (spec §6). */
export const SAMPLERS = ['uniform', 'dscl', 'dapo', 'vcrl', 'difficulty'] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** Whether sub-task weights follow mastery (spec §2). */
export const CURRICULA = ['none', 'tdcl'] as const;
export type CurriculumName = (typeof CURRICULA)[number];

/** What a sample still teaches (spec §3). */
export const CATEGORIES = ['new', 'easy', 'hard-live', 'hard-dead', 'plateau', 'active'] as const;
export type Category = (typeof CATEGORIES)[number];

/** Parts of DSCL that an ablation can switch off. */
export const ABLATIONS = [
  'mean',
  'variance',
  'epoch-variance',
  'categories',
  'staleness',
  'activation',
] as const;
export type Ablation = (typeof ABLATIONS)[number];

/** What is known of one sample from its visits. All on the unweighted reward. */
export interface SampleStatistics {
  readonly visits: number;
  /** Mean reward of the last visit's group, M. */
  readonly mean: number;
  /** Unbiased variance within the last visit's group. */
  readonly withinVariance: number;
  /** Population variance of the visits' means (Welford), Vepoch. */
  readonly epochVariance: number;
  /** Welford's running mean and sum of squared differences of the visits' means. */
  readonly meanOfMeans: number;
  readonly m2OfMeans: number;
  /** Visits in a row up to the last one whose groups had no variance at all. */
  readonly still: number;
  /** Group size G of the last visit. */
  readonly groupSize: number;
  /** Global step of the last visit. */
  readonly lastStep: number;
}

/** Numbers of the sampling rule. */
export interface SamplingOptions {
  readonly sampler: SamplerName;
  readonly ablate: readonly Ablation[];
  /** Mean batch reward that must be exceeded … */
  readonly activationReward: number;
  /** … in this many consecutive batches before dynamic sampling switches on. */
  readonly activationPatience: number;
  /** t_mean on the [−3, 4] scale. */
  readonly hardThreshold: number;
  /** Threshold of v and e below which nothing moves. */
  readonly varianceThreshold: number;
  /** Share ε of the uniform distribution that is mixed in. */
  readonly uniformShare: number;
  /** Exponent 1/τ of the importance. */
  readonly temperature: number;
  /** Half-life of an importance, in corpus epochs. */
  readonly halfLifeEpochs: number;
}

/** Whether dynamic sampling is on, and how far its activation rule has counted. */
export interface ActivationState {
  readonly active: boolean;
  /** Consecutive batches so far whose mean reward exceeded the threshold. */
  readonly streak: number;
}
