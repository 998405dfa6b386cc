import {
  boolean,
  doublePrecision as float,
  foreignKey,
  integer,
  pgTable,
  primaryKey,
  timestamp,
} from 'drizzle-orm/pg-core';
import { count, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';
import { samples } from './corpora.ts';
import { runs, runSplits } from './runs.ts';

export const checkpoints = pgTable(
  'checkpoints',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    slice: integer('slice').notNull(),
    baseSha256: text('base_sha256').notNull(),
    baseBytes: count('base_bytes').notNull(),
    weightsSha256: text('weights_sha256'),
    weightsBytes: count('weights_bytes'),
    optimizerSha256: text('optimizer_sha256'),
    optimizerBytes: count('optimizer_bytes'),
    optimizerSteps: integer('optimizer_steps').notNull(),
    loss: float('loss'),
    trainedTokens: count('trained_tokens').notNull(),
    pruned: boolean('pruned').notNull().default(false),
    trainingSeconds: float('training_seconds').notNull(),
    committedAt: timestamp('committed_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step, table.slice] }),
    foreignKey({ columns: [table.run], foreignColumns: [runs.run] }),
  ],
);

export const checkpointsComments = commentsOnTable(
  checkpoints,
  'The policy after each step and each slice of the warm start; tensors lie in artifacts.',
  {
    run: 'The run.',
    step: 'Step after which it holds; 0 before training.',
    slice: 'Slice of the warm start after which it holds (step 0 only); 0: the policy as it came.',
    baseSha256: 'Manifest of the checkpoint the run started from.',
    baseBytes: 'Size of the manifest.',
    weightsSha256:
      'Trained tensors, or what a training service has saved them as; null: those of the base.',
    weightsBytes: 'Size of that artifact.',
    optimizerSha256: 'State of the optimiser; null: fresh.',
    optimizerBytes: "Size of the optimiser's state.",
    optimizerSteps: 'Optimiser steps made between the checkpoint before and this one.',
    loss: 'Loss of those steps; null when there were none.',
    trainedTokens: 'Tokens computed in those steps.',
    pruned: 'Its artifacts were deleted to save space (saveTotalLimit).',
    trainingSeconds: 'Seconds those steps took.',
    committedAt: 'When it was committed.',
  },
);

export const evaluations = pgTable(
  'evaluations',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    split: text('split').notNull(),
    epoch: integer('epoch').notNull(),
    n: integer('n').notNull(),
    exactMatch: float('exact_match').notNull(),
    exactMatchLow: float('exact_match_low').notNull(),
    exactMatchHigh: float('exact_match_high').notNull(),
    reward: float('reward').notNull(),
    rewardError: float('reward_error'),
    scoreFormat: float('score_format').notNull(),
    scoreName: float('score_name').notNull(),
    scoreKey: float('score_key').notNull(),
    scoreValue: float('score_value').notNull(),
    evaluationSeconds: float('evaluation_seconds').notNull(),
    evaluatedAt: timestamp('evaluated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step, table.split] }),
    foreignKey({
      columns: [table.run, table.split],
      foreignColumns: [runSplits.run, runSplits.split],
    }),
  ],
);

export const evaluationsComments = commentsOnTable(
  evaluations,
  'Greedy evaluations of the policy on held-out samples.',
  {
    run: 'The run.',
    step: 'Step after which the policy was evaluated; 0 before training.',
    split: 'Held-out split.',
    epoch: 'Epoch of the step; 0 before training.',
    n: 'Samples evaluated.',
    exactMatch: 'Share of exact matches.',
    exactMatchLow: 'Lower end of its 95% interval (Wilson).',
    exactMatchHigh: 'Upper end of its 95% interval (Wilson).',
    reward: 'Mean unweighted reward.',
    rewardError:
      'Standard error of that mean, 0 of a single sample; null where a worker of an older version committed it.',
    scoreFormat: 'Mean sub-score of format.',
    scoreName: 'Mean sub-score of tool names.',
    scoreKey: 'Mean sub-score of parameter keys.',
    scoreValue: 'Mean sub-score of parameter values.',
    evaluationSeconds: 'Seconds spent completing and scoring, summed over shards.',
    evaluatedAt: 'When it was committed.',
  },
);

export const evaluationSamples = pgTable(
  'evaluation_samples',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    split: text('split').notNull(),
    sampleId: text('sample_id').notNull(),
    corpus: text('corpus').notNull(),
    completion: text('completion').notNull(),
    completionTokens: integer('completion_tokens').notNull(),
    exactMatch: boolean('exact_match').notNull(),
    reward: float('reward').notNull(),
    scoreFormat: float('score_format').notNull(),
    scoreName: float('score_name').notNull(),
    scoreKey: float('score_key').notNull(),
    scoreValue: float('score_value').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step, table.split, table.sampleId] }),
    foreignKey({
      columns: [table.run, table.split],
      foreignColumns: [runSplits.run, runSplits.split],
    }),
    foreignKey({
      columns: [table.corpus, table.sampleId],
      foreignColumns: [samples.corpus, samples.sampleId],
    }),
  ],
);

export const evaluationSamplesComments = commentsOnTable(
  evaluationSamples,
  'Completions of held-out samples; committed in chunks while an evaluation runs.',
  {
    run: 'The run.',
    step: 'Step after which the policy was evaluated.',
    split: 'Held-out split.',
    sampleId: 'The sample.',
    corpus: 'Corpus of the split.',
    completion: 'Text of the completion (NUL removed).',
    completionTokens: 'Tokens of the completion, the end token included.',
    exactMatch: 'Format right and calls equal to the ground truth.',
    reward: 'Unweighted reward.',
    scoreFormat: 'Sub-score of the format, 0 to 1.',
    scoreName: 'Sub-score of the tool names, 0 to 1.',
    scoreKey: 'Sub-score of the parameter keys, 0 to 1.',
    scoreValue: 'Sub-score of the parameter values, 0 to 1.',
  },
);
