import {
  doublePrecision,
  foreignKey,
  integer,
  pgTable,
  primaryKey,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { JsonValue } from '../../contracts/json.ts';
import {
  COMPLETION_SHAPES,
  type ChatMessage,
  type CompletionShape,
  type ToolCall,
  type ToolDefinition,
} from '../../contracts/sample.ts';
import { json, oneOf, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';

export const corpora = pgTable('corpora', {
  corpus: text('corpus').primaryKey(),
  source: text('source').notNull(),
  samples: integer('samples').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

export const corporaComments = commentsOnTable(
  corpora,
  'Sets of samples, stored once and shared by the runs that train or evaluate on them.',
  {
    corpus: 'First 16 hexadecimal digits of the SHA-256 of the samples, in order.',
    source: 'Where the samples came from when they were first stored.',
    samples: 'How many samples the corpus has.',
    createdAt: 'When the corpus was stored.',
  },
);

export const samples = pgTable(
  'samples',
  {
    corpus: text('corpus').notNull(),
    sampleId: text('sample_id').notNull(),
    ordinal: integer('ordinal').notNull(),
    rewardMin: doublePrecision('reward_min').notNull(),
    rewardMax: doublePrecision('reward_max').notNull(),
    level: integer('level'),
    shape: text('shape').$type<CompletionShape>().notNull(),
    sourceFormat: text('source_format').notNull(),
    sourceName: text('source_name').notNull(),
    sourceRow: integer('source_row').notNull(),
    sourceTurn: integer('source_turn'),
    messages: json('messages').$type<readonly ChatMessage[]>().notNull(),
    groundTruth: text('ground_truth').notNull(),
    calls: json('calls').$type<readonly ToolCall[]>().notNull(),
    allowedValues:
      json('allowed_values').$type<
        readonly { readonly [parameter: string]: readonly JsonValue[] }[]
      >(),
    tools: json('tools').$type<readonly ToolDefinition[]>(),
  },
  (table) => [
    primaryKey({ columns: [table.corpus, table.sampleId] }),
    uniqueIndex('samples_in_order').on(table.corpus, table.ordinal),
    foreignKey({ columns: [table.corpus], foreignColumns: [corpora.corpus] }),
    oneOf('samples_shape', table.shape, COMPLETION_SHAPES),
  ],
);

export const samplesComments = commentsOnTable(
  samples,
  'Tasks: a prompt and the tool calls that solve it.',
  {
    corpus: 'The corpus the sample belongs to.',
    sampleId: 'Id of the sample, unique within its corpus.',
    ordinal: 'Place in the corpus, from 0.',
    rewardMin: 'Smallest reward a completion can get: -3, or 0 without a ground-truth call.',
    rewardMax: 'Largest reward a completion can get: 4, or 1 without a ground-truth call.',
    level: 'Difficulty where the source knows one (built-in corpus: 0 to 4).',
    shape: 'What the ground truth consists of besides its thought: think, call, response or both.',
    sourceFormat: 'Format the sample was read from.',
    sourceName: 'File name or generator.',
    sourceRow: 'Row in the source, from 1.',
    sourceTurn: 'Turn of the assistant in that row, from 1, where the row is a conversation.',
    messages:
      'Chat messages of the prompt; "calls" are what an earlier turn of the assistant called.',
    groundTruth: 'Reference completion.',
    calls: 'Ground-truth calls; empty when no call is wanted.',
    allowedValues: 'Allowed values of each parameter of each call, for value mode bfcl.',
    tools: 'Tools that the chat template shows; null where the messages tell of them.',
  },
);
