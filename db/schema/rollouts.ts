import {
  boolean,
  doublePrecision as float,
  foreignKey,
  index,
  integer,
  pgTable,
  primaryKey,
  timestamp,
  unique,
} from 'drizzle-orm/pg-core';
import type { FinishReason } from '../../contracts/policy.ts';
import { CATEGORIES, type Category } from '../../contracts/sampling.ts';
import { count, oneOf, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';
import { samples } from './corpora.ts';
import { rounds, steps } from './steps.ts';

const GROUP_STATES = ['reserved', 'drawn', 'kept', 'dropped'] as const;
export type GroupState = (typeof GROUP_STATES)[number];
const DROP_REASONS = ['zero-variance'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export const groups = pgTable(
  'groups',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    rank: integer('rank').notNull(),
    corpus: text('corpus').notNull(),
    sampleId: text('sample_id').notNull(),
    round: integer('round'),
    shard: integer('shard'),
    state: text('state').$type<GroupState>().notNull(),
    dropReason: text('drop_reason').$type<DropReason>(),
    drawnCategory: text('drawn_category').$type<Category>().notNull(),
    drawnImportance: float('drawn_importance').notNull(),
    reward: float('reward'),
    rewardStd: float('reward_std'),
    weightedReward: float('weighted_reward'),
    weightedRewardStd: float('weighted_reward_std'),
    exactMatch: float('exact_match'),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step, table.rank] }),
    unique('groups_one_per_sample').on(table.run, table.step, table.sampleId),
    index('groups_of_sample').on(table.run, table.sampleId),
    foreignKey({ columns: [table.run, table.step], foreignColumns: [steps.run, steps.step] }),
    foreignKey({
      columns: [table.corpus, table.sampleId],
      foreignColumns: [samples.corpus, samples.sampleId],
    }),
    oneOf('groups_state', table.state, GROUP_STATES),
    oneOf('groups_drop_reason', table.dropReason, DROP_REASONS),
    oneOf('groups_drawn_category', table.drawnCategory, CATEGORIES),
  ],
);

export const groupsComments = commentsOnTable(
  groups,
  'Prompts of a step, each with its group of completions: why it was drawn, and whether it was trained on.',
  {
    run: 'The run.',
    step: 'The step.',
    rank: 'Order of the draw, from 0.',
    corpus: 'Corpus of the sample.',
    sampleId: 'The sample.',
    round: 'Round of rollout it was used in; null while it is only a candidate for backfill.',
    shard: 'Rollout activity that completed it.',
    state: 'reserved (candidate for backfill), drawn, kept, or dropped.',
    dropReason: 'zero-variance: its weighted rewards are all equal, so it carries no gradient.',
    drawnCategory: 'Category of the sample when it was drawn.',
    drawnImportance: 'Importance of the sample when it was drawn, staleness included.',
    reward: 'Mean unweighted reward of its completions.',
    rewardStd: 'Standard deviation (unbiased) of the unweighted reward.',
    weightedReward: "Mean reward under the step's curriculum.",
    weightedRewardStd: "Standard deviation (unbiased) under the step's curriculum.",
    exactMatch: 'Share of exact matches.',
  },
);

export const rolloutShards = pgTable(
  'rollout_shards',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    round: integer('round').notNull(),
    shard: integer('shard').notNull(),
    artifactSha256: text('artifact_sha256').notNull(),
    artifactBytes: count('artifact_bytes').notNull(),
    completions: integer('completions').notNull(),
    generatedTokens: count('generated_tokens').notNull(),
    generationSeconds: float('generation_seconds').notNull(),
    committedAt: timestamp('committed_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step, table.round, table.shard] }),
    foreignKey({
      columns: [table.run, table.step, table.round],
      foreignColumns: [rounds.run, rounds.step, rounds.round],
    }),
  ],
);

export const rolloutShardsComments = commentsOnTable(
  rolloutShards,
  'Finished rollout activities; the token ids and log-probabilities lie in an artifact.',
  {
    run: 'The run.',
    step: 'The step.',
    round: 'The round.',
    shard: 'Number within the round, from 0.',
    artifactSha256: 'Artifact with token ids and log-probabilities.',
    artifactBytes: 'Size of the artifact.',
    completions: 'Completions sampled.',
    generatedTokens: 'Completion tokens sampled.',
    generationSeconds: 'Seconds spent sampling.',
    committedAt: 'When the shard was committed.',
  },
);

const FINISH_REASONS = ['stop', 'length'] as const;

export const rollouts = pgTable(
  'rollouts',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    rank: integer('rank').notNull(),
    index: integer('index').notNull(),
    sampleId: text('sample_id').notNull(),
    round: integer('round').notNull(),
    shard: integer('shard').notNull(),
    completion: text('completion').notNull(),
    promptTokens: integer('prompt_tokens').notNull(),
    completionTokens: integer('completion_tokens').notNull(),
    finishReason: text('finish_reason').$type<FinishReason>().notNull(),
    curriculumVersion: integer('curriculum_version'),
    scoreFormat: float('score_format'),
    scoreName: float('score_name'),
    scoreKey: float('score_key'),
    scoreValue: float('score_value'),
    reward: float('reward'),
    weightedReward: float('weighted_reward'),
    exactMatch: boolean('exact_match'),
    parseable: boolean('parseable'),
    formatSuccesses: integer('format_successes'),
    formatTrials: integer('format_trials'),
    nameSuccesses: integer('name_successes'),
    nameTrials: integer('name_trials'),
    keySuccesses: integer('key_successes'),
    keyTrials: integer('key_trials'),
    valueSuccesses: integer('value_successes'),
    valueTrials: integer('value_trials'),
    advantage: float('advantage'),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step, table.rank, table.index] }),
    // No index by shard: Postgres would take it, and read a whole step, to see whether a group has rollouts.
    foreignKey({
      columns: [table.run, table.step, table.rank],
      foreignColumns: [groups.run, groups.step, groups.rank],
    }),
    foreignKey({
      columns: [table.run, table.step, table.round, table.shard],
      foreignColumns: [
        rolloutShards.run,
        rolloutShards.step,
        rolloutShards.round,
        rolloutShards.shard,
      ],
    }),
    oneOf('rollouts_finish_reason', table.finishReason, FINISH_REASONS),
  ],
);

export const rolloutsComments = commentsOnTable(
  rollouts,
  'Completions sampled in training, each with its reward taken apart.',
  {
    run: 'The run.',
    step: 'The step.',
    rank: 'The group, by order of the draw.',
    index: 'Number within the group, from 0.',
    sampleId: 'The sample.',
    round: 'The round of rollout.',
    shard: 'The rollout activity within the round.',
    completion: 'Text of the completion (NUL removed).',
    promptTokens: 'Tokens of the prompt.',
    completionTokens: 'Tokens of the completion, the end token included.',
    finishReason: 'stop, or length when it was cut off.',
    curriculumVersion: 'Version of the curriculum that weighted the reward; null until scored.',
    scoreFormat: 'Sub-score of the format, 0 to 1.',
    scoreName: 'Sub-score of the tool names, 0 to 1.',
    scoreKey: 'Sub-score of the parameter keys, 0 to 1.',
    scoreValue: 'Sub-score of the parameter values, 0 to 1.',
    reward: 'Unweighted reward.',
    weightedReward: "Reward under the step's curriculum: what the update learns from.",
    exactMatch: 'Format right and calls equal to the ground truth.',
    parseable: 'The calls could be read.',
    formatSuccesses: 'Right formats, for the mastery of format.',
    formatTrials: 'Formats looked at.',
    nameSuccesses: 'Right names where the calls could be read.',
    nameTrials: 'Names looked at.',
    keySuccesses: 'Right keys where the name matched.',
    keyTrials: 'Keys looked at.',
    valueSuccesses: 'Right values where the key matched.',
    valueTrials: 'Values looked at.',
    advantage: 'Advantage in the update; null when the group was not trained on.',
  },
);
