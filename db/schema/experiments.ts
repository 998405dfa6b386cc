import { foreignKey, integer, pgTable, primaryKey, timestamp, unique } from 'drizzle-orm/pg-core';
import {
  EXPERIMENT_STATES,
  PROTOCOLS,
  type ExperimentAsked,
  type ExperimentState,
  type Protocol,
} from '../../contracts/experiment.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import { count, json, oneOf, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';

export const experiments = pgTable(
  'experiments',
  {
    experiment: text('experiment').primaryKey(),
    state: text('state').$type<ExperimentState>().notNull(),
    reason: text('reason'),
    protocol: text('protocol').$type<Protocol>().notNull(),
    tokens: count('tokens').notNull(),
    baseline: text('baseline').notNull(),
    asked: json('asked').$type<ExperimentAsked>().notNull(),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull().defaultNow(),
    finishedAt: timestamp('finished_at', { withTimezone: true }),
  },
  (table) => [
    oneOf('experiments_state', table.state, EXPERIMENT_STATES),
    oneOf('experiments_protocol', table.protocol, PROTOCOLS),
  ],
);

export const experimentsComments = commentsOnTable(
  experiments,
  'Comparisons of samplers and curricula over many runs (`toolsample compare`).',
  {
    experiment: 'Id of the experiment, which is also its workflow id.',
    state: 'running, completed, failed, or stopped (the same command goes on).',
    reason: 'Why it failed or stopped.',
    protocol:
      'What is the same in every step: fixed-prompts (prompts rolled out) or fixed-batch (groups trained on).',
    tokens: 'Generated tokens with which each run ends.',
    baseline: 'The arm that others are compared with.',
    asked: 'What was asked for, all defaults filled in.',
    startedAt: 'When it was first prepared.',
    finishedAt: 'When it completed, failed or stopped.',
  },
);

export const experimentRuns = pgTable(
  'experiment_runs',
  {
    experiment: text('experiment').notNull(),
    run: text('run').notNull(),
    ordinal: integer('ordinal').notNull(),
    arm: text('arm').notNull(),
    seed: integer('seed').notNull(),
    settings: json('settings').$type<RunConfigInput>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.experiment, table.run] }),
    unique('experiment_runs_arm_seed').on(table.experiment, table.arm, table.seed),
    foreignKey({ columns: [table.experiment], foreignColumns: [experiments.experiment] }),
  ],
);

export const experimentRunsComments = commentsOnTable(
  experimentRuns,
  'The runs of an experiment. A run that has not begun has no row in runs yet.',
  {
    experiment: 'The experiment.',
    run: 'Id of the run.',
    ordinal: 'Order in which the runs begin, from 0.',
    arm: 'What it is a run of: runs of one arm differ in their seed alone.',
    seed: 'Its seed; runs of the same seed have the same data and the same warm start.',
    settings: 'What sets its arm apart from the others.',
  },
);
