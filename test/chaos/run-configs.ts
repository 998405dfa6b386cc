import type { RunConfigInput } from '../../contracts/config.ts';

/** Of the shipped policy, groups in several shards, some of which are dropped and backfilled. */
const SMALL: RunConfigInput = {
  corpus_size: 32,
  level_mix: [1, 0, 0, 0],
  num_generations: 8,
  rollout_shard_size: 3,
  max_backfill_rounds: 1,
  threads: 1,
};

/** A few steps; but everything happens: a warm start in slices, dropped groups, backfill, real gradients, evaluations. */
export const CHAOS_CONFIG: RunConfigInput = {
  ...SMALL,
  eval_size: 16,
  max_steps: 4,
  train_batch_size: 4,
  save_total_limit: 1,
  warm_start: [
    { data: 'builtin', steps: 112, batch_tokens: 200, levels: [0], learning_rate: 1e-4 },
  ],
};

/** Less than a minute on a busy machine: two steps, each with several shards, sampled in 8 bits, and a gradient. */
export const SHORT_CONFIG: RunConfigInput = {
  ...SMALL,
  rollout_precision: 'int8',
  eval_size: 8,
  max_steps: 2,
  train_batch_size: 6,
};
