import { boolean, check, pgTable, timestamp } from 'drizzle-orm/pg-core';
import { sql } from 'drizzle-orm';
import { count, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';

export const artifactStore = pgTable(
  'artifact_store',
  {
    only: boolean('only').primaryKey().default(true),
    markSha256: text('mark_sha256').notNull(),
    markBytes: count('mark_bytes').notNull(),
    markedAt: timestamp('marked_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [check('artifact_store_only', sql`${table.only}`)],
);

export const artifactStoreComments = commentsOnTable(
  artifactStore,
  'The one store that holds the artifacts of this database: it is known by an artifact that is in no other.',
  {
    only: 'There is one row at most.',
    markSha256: 'Hash of that artifact.',
    markBytes: 'Its size.',
    markedAt: 'When it was stored.',
  },
);
