import {
  doublePrecision as float,
  foreignKey,
  integer,
  pgTable,
  primaryKey,
  timestamp,
} from 'drizzle-orm/pg-core';
import { count, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';
import { steps } from './steps.ts';

export const gradientShards = pgTable(
  'gradient_shards',
  {
    run: text('run').notNull(),
    step: integer('step').notNull(),
    shard: integer('shard').notNull(),
    shards: integer('shards').notNull(),
    plan: text('plan').notNull(),
    microBatches: integer('micro_batches').notNull(),
    artifactSha256: text('artifact_sha256'),
    artifactBytes: count('artifact_bytes'),
    tokens: count('tokens').notNull(),
    seconds: float('seconds').notNull(),
    committedAt: timestamp('committed_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.step, table.shard] }),
    foreignKey({ columns: [table.run, table.step], foreignColumns: [steps.run, steps.step] }),
  ],
);

export const gradientShardsComments = commentsOnTable(
  gradientShards,
  'Finished parts of the gradient step that is under way; gone once the step is committed.',
  {
    run: 'The run.',
    step: 'The step.',
    shard: 'Number of the part, from 0.',
    shards: 'Parts of the step.',
    plan: 'Names how the batch was divided into micro-batches: parts belong together where it is the same.',
    microBatches: 'Micro-batches of this part.',
    artifactSha256: 'Artifact with their gradients; null where there are none.',
    artifactBytes: 'Size of the artifact.',
    tokens: 'Tokens computed, prompts included.',
    seconds: 'Seconds spent computing and storing.',
    committedAt: 'When the part was committed.',
  },
);
