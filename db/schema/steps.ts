import {
  boolean,
  doublePrecision as float,
  foreignKey,
  integer,
  pgTable,
  primaryKey,
  timestamp,
} from 'drizzle-orm/pg-core';
import { count, oneOf, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';
import { runs } from './runs.ts';

const EPOCH_STATES = ['running', 'completed'] as const;
const STEP_STATES = ['selected', 'learned', 'committed', 'skipped'] as const;
/** `selected` → `learned` (statistics and curriculum committed) → `committed` or `skipped` (policy committed). */
export type StepState = (typeof STEP_STATES)[number];

export const epochs = pgTable(
  'epochs',
  {
    run: text('run').notNull(),
    epoch: integer('epoch').notNull(),
    state: text('state').$type<(typeof EPOCH_STATES)[number]>().notNull(),
    firstStep: integer('first_step').notNull(),
    lastStep: integer('last_step').notNull(),
    reward: float('reward'),
    exactMatch: float('exact_match'),
    fracRewardZeroStd: float('frac_reward_zero_std'),
    generatedTokens: count('generated_tokens'),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull().defaultNow(),
    completedAt: timestamp('completed_at', { withTimezone: true }),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.epoch] }),
    foreignKey({ columns: [table.run], foreignColumns: [runs.run] }),
    oneOf('epochs_state', table.state, EPOCH_STATES),
  ],
);

export const epochsComments = commentsOnTable(epochs, 'Epochs of a run.', {
  run: 'The run.',
  epoch: 'Number of the epoch, from 1.',
  state: 'running or completed.',
  firstStep: 'Its first step.',
  lastStep: 'Its last step, as planned.',
  reward: 'Mean over its steps of the mean reward; null until completed.',
  exactMatch: 'Mean over its steps of the share of exact matches; null until completed.',
  fracRewardZeroStd:
    'Mean over its steps of the share of groups without variance; null until completed.',
  generatedTokens: 'Completion tokens generated for training in it; null until completed.',
  startedAt: 'When its first batch was selected.',
  completedAt: 'When its last step was committed.',
});

export const steps = pgTable(
  'steps',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    epoch: integer('epoch').notNull(),
    state: text('state').$type<StepState>().notNull(),
    active: boolean('active').notNull(),
    curriculumVersion: integer('curriculum_version').notNull(),
    groups: integer('groups').notNull(),
    keptGroups: integer('kept_groups'),
    rounds: integer('rounds'),
    completions: integer('completions'),
    reward: float('reward'),
    rewardStd: float('reward_std'),
    fracRewardZeroStd: float('frac_reward_zero_std'),
    rewardsFormatMean: float('rewards_format_mean'),
    rewardsNameMean: float('rewards_name_mean'),
    rewardsKeyMean: float('rewards_key_mean'),
    rewardsValueMean: float('rewards_value_mean'),
    weightedReward: float('weighted_reward'),
    exactMatch: float('exact_match'),
    completionsMeanLength: float('completions_mean_length'),
    completionsClippedRatio: float('completions_clipped_ratio'),
    generatedTokens: count('generated_tokens'),
    loss: float('loss'),
    gradNorm: float('grad_norm'),
    learningRate: float('learning_rate'),
    entropy: float('entropy'),
    kl: float('kl'),
    clipRatioLow: float('clip_ratio_low'),
    clipRatioHigh: float('clip_ratio_high'),
    samplingLogpDifference: float('sampling_logp_difference'),
    trainedTokens: count('trained_tokens'),
    rolloutSeconds: float('rollout_seconds'),
    gradientSeconds: float('gradient_seconds'),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull().defaultNow(),
    learnedAt: timestamp('learned_at', { withTimezone: true }),
    committedAt: timestamp('committed_at', { withTimezone: true }),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step] }),
    foreignKey({
      columns: [table.run, table.epoch],
      foreignColumns: [epochs.run, epochs.epoch],
    }),
    oneOf('steps_state', table.state, STEP_STATES),
  ],
);

export const stepsComments = commentsOnTable(
  steps,
  'Steps of a run: one batch of prompts, its rollouts and one update of the policy.',
  {
    run: 'The run.',
    step: 'Number of the step through the whole run, from 1.',
    epoch: 'Epoch it belongs to.',
    state:
      'selected, learned (statistics and curriculum committed), committed or skipped (no group had a gradient).',
    active: 'Dynamic sampling chose the prompts (false: still the seeded shuffle).',
    curriculumVersion: 'Version of the curriculum that weighted the rewards.',
    groups: 'Prompts rolled out.',
    keptGroups: 'Groups that the update trained on.',
    rounds: 'Rounds of rollout, the first included.',
    completions: 'Completions sampled.',
    reward: 'Mean unweighted reward.',
    rewardStd: 'Mean over groups of the standard deviation of the unweighted reward.',
    fracRewardZeroStd: 'Share of groups whose weighted rewards are all equal.',
    rewardsFormatMean: 'Mean sub-score of format.',
    rewardsNameMean: 'Mean sub-score of tool names.',
    rewardsKeyMean: 'Mean sub-score of parameter keys.',
    rewardsValueMean: 'Mean sub-score of parameter values.',
    weightedReward: "Mean reward under the step's curriculum.",
    exactMatch: 'Share of completions that match the ground truth exactly.',
    completionsMeanLength: 'Mean tokens of a completion.',
    completionsClippedRatio: 'Share of completions cut off by the length limit.',
    generatedTokens: 'Completion tokens sampled.',
    loss: 'Loss of the update; null when skipped.',
    gradNorm: 'Gradient norm before clipping.',
    learningRate:
      'Learning rate of the update: after warm-up, and smaller where the batch could not be filled.',
    entropy: 'Mean entropy of the policy at completion tokens, in nats.',
    kl: 'Mean KL estimate to the policy at the start; null when beta is 0.',
    clipRatioLow: 'Share of tokens whose ratio was clipped below.',
    clipRatioHigh: 'Share of tokens whose ratio was clipped above.',
    samplingLogpDifference:
      'Mean distance of a completion token’s log-probability in the trainer to that in the rollout.',
    trainedTokens: 'Tokens the update computed, prompts included.',
    rolloutSeconds:
      'Seconds in which completions were sampled; what workers did side by side counts once.',
    gradientSeconds:
      'Seconds in which the update was computed; what workers did side by side counts once.',
    startedAt: 'When the batch was selected.',
    learnedAt: 'When statistics and curriculum were committed.',
    committedAt: 'When the updated policy was committed.',
  },
);

export const rounds = pgTable(
  'rounds',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    round: integer('round').notNull(),
    groups: integer('groups').notNull(),
    shards: integer('shards').notNull(),
    reward: float('reward'),
    rewardStd: float('reward_std'),
    exactMatch: float('exact_match'),
    kept: integer('kept'),
    dropped: integer('dropped'),
    backfillShards: integer('backfill_shards'),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    scoredAt: timestamp('scored_at', { withTimezone: true }),
    filteredAt: timestamp('filtered_at', { withTimezone: true }),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step, table.round] }),
    foreignKey({ columns: [table.run, table.step], foreignColumns: [steps.run, steps.step] }),
  ],
);

export const roundsComments = commentsOnTable(
  rounds,
  'Rounds of rollout within a step: the first, and backfill after groups were dropped.',
  {
    run: 'The run.',
    step: 'The step.',
    round: '0 is the first rollout; backfill counts from 1.',
    groups: 'Prompts of this round.',
    shards: 'Rollout activities of this round.',
    reward: 'Mean unweighted reward of this round; null until scored.',
    rewardStd: 'Mean over groups of the standard deviation of the unweighted reward.',
    exactMatch: 'Share of exact matches.',
    kept: 'Groups kept in the step so far; null until filtered.',
    dropped: 'Groups dropped in the step so far.',
    backfillShards: 'Shards of the next round; 0 when there is none.',
    createdAt: 'When the round was planned.',
    scoredAt: 'When its rewards were committed.',
    filteredAt: 'When its groups were kept or dropped.',
  },
);
