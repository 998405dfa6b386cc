import {
  boolean,
  doublePrecision as float,
  foreignKey,
  index,
  integer,
  pgTable,
  primaryKey,
  timestamp,
} from 'drizzle-orm/pg-core';
import type { TrainableOptions } from '../../contracts/policy.ts';
import {
  SUITE_STATES,
  SUITES,
  type EvaluationAsked,
  type Suite,
  type SuiteState,
} from '../../contracts/suite-evaluation.ts';
import { count, json, oneOf, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';

export const suiteEvaluations = pgTable(
  'suite_evaluations',
  {
    evaluation: text('evaluation').primaryKey(),
    state: text('state').$type<SuiteState>().notNull(),
    reason: text('reason'),
    suite: text('suite').$type<Suite>().notNull(),
    policy: text('policy').notNull(),
    run: text('run'),
    step: integer('step'),
    asked: json('asked').$type<EvaluationAsked>().notNull(),
    baseSha256: text('base_sha256').notNull(),
    baseBytes: count('base_bytes').notNull(),
    weightsSha256: text('weights_sha256'),
    weightsBytes: count('weights_bytes'),
    trainable: json('trainable').$type<TrainableOptions>().notNull(),
    badRows: integer('bad_rows').notNull(),
    folder: text('folder'),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull().defaultNow(),
    finishedAt: timestamp('finished_at', { withTimezone: true }),
  },
  (table) => [
    oneOf('suite_evaluations_state', table.state, SUITE_STATES),
    oneOf('suite_evaluations_suite', table.suite, SUITES),
    index('suite_evaluations_of_run').on(table.run, table.step),
  ],
);

export const suiteEvaluationsComments = commentsOnTable(
  suiteEvaluations,
  'Evaluations of a policy on a suite: BFCL, or a file of samples (`toolsample eval`).',
  {
    evaluation: 'Id of the evaluation, which is also its workflow id.',
    state: 'running, completed, failed, or stopped (the same command goes on).',
    reason: 'Why it failed or stopped.',
    suite: 'bfcl: judged by its rules; samples: a file, judged by our reward.',
    policy: 'What the policy is called.',
    run: 'The run that the policy comes from; null for a folder.',
    step: 'The step of that run; null for a folder.',
    asked: 'What was asked for, all that decides the result.',
    baseSha256: 'Manifest of the base checkpoint.',
    baseBytes: 'Size of the manifest.',
    weightsSha256: 'Trained tensors; null: those of the base.',
    weightsBytes: 'Size of the trained tensors.',
    trainable: 'What of the policy was trained: whole weights, or adapters of some rank.',
    badRows: 'Rows of the data that could not be used.',
    folder: "Folder of the results in BFCL's layout; null until completed, and for samples.",
    startedAt: 'When it was first prepared.',
    finishedAt: 'When it completed, failed or stopped.',
  },
);

export const suiteQuestions = pgTable(
  'suite_questions',
  {
    evaluation: text('evaluation').notNull(),
    part: text('part').notNull(),
    ordinal: integer('ordinal').notNull(),
    questionId: text('question_id').notNull(),
    question: json('question').notNull(),
    answer: text('answer'),
  },
  (table) => [
    primaryKey({ columns: [table.evaluation, table.part, table.ordinal] }),
    foreignKey({ columns: [table.evaluation], foreignColumns: [suiteEvaluations.evaluation] }),
  ],
);

export const suiteQuestionsComments = commentsOnTable(
  suiteQuestions,
  'What a policy is asked in an evaluation on a suite, as the files had it when it began.',
  {
    evaluation: 'The evaluation.',
    part: "BFCL's category, or samples.",
    ordinal: 'Order within the part, from 0.',
    questionId: 'Id of the question, or of the sample.',
    question: 'Messages and functions of the question, or the sample.',
    answer: "BFCL's line of allowed answers; null where nothing should be called, and for samples.",
  },
);

export const suiteShards = pgTable(
  'suite_shards',
  {
    evaluation: text('evaluation').notNull(),
    part: text('part').notNull(),
    shard: integer('shard').notNull(),
    answered: integer('answered').notNull(),
    correct: integer('correct').notNull(),
    completionTokens: count('completion_tokens').notNull(),
    shardSeconds: float('shard_seconds').notNull(),
    committedAt: timestamp('committed_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.evaluation, table.part, table.shard] }),
    foreignKey({ columns: [table.evaluation], foreignColumns: [suiteEvaluations.evaluation] }),
  ],
);

export const suiteShardsComments = commentsOnTable(
  suiteShards,
  'Questions that were answered together; committed with their answers.',
  {
    evaluation: 'The evaluation.',
    part: "BFCL's category, or samples.",
    shard: 'Number within the part, from 0.',
    answered: 'Questions answered.',
    correct: 'Right answers among them.',
    completionTokens: 'Tokens of the answers.',
    shardSeconds: 'Seconds the shard took.',
    committedAt: 'When it was committed.',
  },
);

export const suiteAnswers = pgTable(
  'suite_answers',
  {
    evaluation: text('evaluation').notNull(),
    part: text('part').notNull(),
    ordinal: integer('ordinal').notNull(),
    completion: text('completion').notNull(),
    promptTokens: integer('prompt_tokens').notNull(),
    completionTokens: integer('completion_tokens').notNull(),
    correct: boolean('correct').notNull(),
    errorType: text('error_type'),
    errors: json('errors').$type<readonly string[]>().notNull(),
    reward: float('reward'),
    scoreFormat: float('score_format'),
    scoreName: float('score_name'),
    scoreKey: float('score_key'),
    scoreValue: float('score_value'),
  },
  (table) => [
    primaryKey({ columns: [table.evaluation, table.part, table.ordinal] }),
    foreignKey({
      columns: [table.evaluation, table.part, table.ordinal],
      foreignColumns: [suiteQuestions.evaluation, suiteQuestions.part, suiteQuestions.ordinal],
    }),
  ],
);

export const suiteAnswersComments = commentsOnTable(
  suiteAnswers,
  'What the policy answered in an evaluation on a suite, and how that was judged.',
  {
    evaluation: 'The evaluation.',
    part: "BFCL's category, or samples.",
    ordinal: 'The question.',
    completion: 'Text of the completion (NUL removed).',
    promptTokens: 'Tokens of the prompt.',
    completionTokens: 'Tokens of the completion, the end token included.',
    correct: "Right by BFCL's rules, or an exact match.",
    errorType:
      'Kind of error by the name that BFCL gives it; null where right, and for samples. prompt_too_long: was not asked, right (nothing was to be called) or wrong.',
    errors: 'What was wrong, in words.',
    reward: 'Unweighted reward; null for BFCL.',
    scoreFormat: 'Sub-score of the format, 0 to 1; null for BFCL.',
    scoreName: 'Sub-score of the tool names; null for BFCL.',
    scoreKey: 'Sub-score of the parameter keys; null for BFCL.',
    scoreValue: 'Sub-score of the parameter values; null for BFCL.',
  },
);
