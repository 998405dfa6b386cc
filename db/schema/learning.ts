import { sql } from 'drizzle-orm';
import {
  boolean,
  doublePrecision as float,
  foreignKey,
  integer,
  pgTable,
  primaryKey,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { CATEGORIES, type Category } from '../../contracts/sampling.ts';
import { oneOf, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';
import { samples } from './corpora.ts';
import { runs } from './runs.ts';

export const sampleStatistics = pgTable(
  'sample_statistics',
  {
    run: text('run').notNull(),
    sampleId: text('sample_id').notNull(),
    corpus: text('corpus').notNull(),
    visits: integer('visits').notNull(),
    mean: float('mean').notNull(),
    withinVariance: float('within_variance').notNull(),
    epochVariance: float('epoch_variance').notNull(),
    meanOfMeans: float('mean_of_means').notNull(),
    m2OfMeans: float('m2_of_means').notNull(),
    still: integer('still').notNull().default(0),
    groupSize: integer('group_size').notNull(),
    lastStep: integer('last_step').notNull(),
    category: text('category').$type<Category>().notNull(),
    importance: float('importance').notNull(),
    fadesTo: float('fades_to').notNull().default(1),
    ordinal: integer('ordinal'),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.sampleId] }),
    // For runs that pick by sums only; the others have no ordinals here.
    uniqueIndex('sample_statistics_in_order')
      .on(table.run, table.ordinal)
      .where(sql`ordinal is not null`),
    foreignKey({ columns: [table.run], foreignColumns: [runs.run] }),
    foreignKey({
      columns: [table.corpus, table.sampleId],
      foreignColumns: [samples.corpus, samples.sampleId],
    }),
    oneOf('sample_statistics_category', table.category, CATEGORIES),
  ],
);

export const sampleStatisticsComments = commentsOnTable(
  sampleStatistics,
  'What a run knows of each sample it has visited; on the unweighted reward. A sample without a row is new.',
  {
    run: 'The run.',
    sampleId: 'The sample.',
    corpus: 'Corpus of the sample.',
    visits: 'Groups rolled out for it so far.',
    mean: "Mean reward of the last visit's group.",
    withinVariance: "Unbiased variance within the last visit's group.",
    epochVariance: "Variance of the visits' means.",
    meanOfMeans: "Running mean of the visits' means (Welford).",
    m2OfMeans: 'Running sum of squared differences from it (Welford).',
    still: 'Visits in a row up to the last one whose groups had no variance.',
    groupSize: "Completions of the last visit's group.",
    lastStep: 'Step of the last visit.',
    category: 'easy, hard-live, hard-dead, plateau or active.',
    importance: 'Importance at the last visit, before staleness.',
    fadesTo: 'Share of the average importance that it fades to with time.',
    ordinal: 'Place of the sample in its corpus, in runs that pick by importance_sums; else null.',
  },
);

export const importanceSums = pgTable(
  'importance_sums',
  {
    run: text('run').notNull(),
    level: integer('level').notNull(),
    node: integer('node').notNull(),
    visited: integer('visited').notNull(),
    fadesTo: float('fades_to').notNull(),
    importance: float('importance').notNull(),
    highest: float('highest').notNull(),
    lastStep: integer('last_step').notNull(),
    kept: float('kept').notNull(),
    keptImportance: float('kept_importance').notNull(),
    halfLife: float('half_life'),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.level, table.node] }),
    foreignKey({ columns: [table.run], foreignColumns: [runs.run] }),
  ],
);

export const importanceSumsComments = commentsOnTable(
  importanceSums,
  'Sums over sample_statistics by parts of a large corpus, from which batches are picked without going through it; made from those rows, and made anew from them at any time. A part without a row is new.',
  {
    run: 'The run.',
    level: '1: parts of 32 samples; 2: parts of 1,024.',
    node: "Number of the part: ordinals divided by the part's samples, rounded down.",
    visited: 'Samples of the part that were visited.',
    fadesTo: 'Sum of the shares of the average importance that they fade to.',
    importance: 'Sum of their importance at their last visits.',
    highest: 'The highest of these.',
    lastStep: 'Step of the latest visit.',
    kept: 'Sum of these shares times what staleness had left of each sample at that step: 1 for those of that step, ½ after a half-life.',
    keptImportance: 'Sum of importance times what staleness had left.',
    halfLife: 'Half-life of an importance that the two were made with, in steps; null: none.',
  },
);

export const curriculumVersions = pgTable(
  'curriculum_versions',
  {
    run: text('run').notNull(),
    version: integer('version').notNull(),
    masteryFormat: float('mastery_format'),
    masteryName: float('mastery_name'),
    masteryKey: float('mastery_key'),
    masteryValue: float('mastery_value'),
    weightFormat: float('weight_format').notNull(),
    weightName: float('weight_name').notNull(),
    weightKey: float('weight_key').notNull(),
    weightValue: float('weight_value').notNull(),
    active: boolean('active').notNull(),
    streak: integer('streak').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.version] }),
    foreignKey({ columns: [table.run], foreignColumns: [runs.run] }),
  ],
);

export const curriculumVersionsComments = commentsOnTable(
  curriculumVersions,
  'The curriculum after each step: mastery of the sub-tasks, their weights, and whether dynamic sampling is on.',
  {
    run: 'The run.',
    version: 'Step after which it holds; it weights the rewards of the next step. 0: the start.',
    masteryFormat: 'Mastery of format; null before the first evidence.',
    masteryName: 'Mastery of tool names.',
    masteryKey: 'Mastery of parameter keys.',
    masteryValue: 'Mastery of parameter values.',
    weightFormat: 'Weight of format; the four have mean 1.',
    weightName: 'Weight of tool names.',
    weightKey: 'Weight of parameter keys.',
    weightValue: 'Weight of parameter values.',
    active: 'Dynamic sampling is on.',
    streak: 'Consecutive batches so far whose mean reward exceeded the activation threshold.',
    createdAt: 'When it was committed.',
  },
);
