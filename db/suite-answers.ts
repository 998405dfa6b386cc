import { and, asc, count, eq, gte, lt, sql, type SQL } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import type { SuiteShardKey } from '../contracts/suite-evaluation.ts';
import { insertRows } from './bulk-insert.ts';
import type { Database } from './connection.ts';
import { suiteAnswers, suiteQuestions, suiteShards } from './schema/suites.ts';

export type SuiteQuestionRow = typeof suiteQuestions.$inferSelect;
export type SuiteAnswerRow = typeof suiteAnswers.$inferSelect;
export type SuiteShardRow = typeof suiteShards.$inferSelect;

/** Rows of one INSERT. */
const BATCH = 500;

/** Stores questions in their order. Streams. To be called in the transaction that creates the evaluation. @returns how many */
export async function insertSuiteQuestions(
  tx: Database,
  stream: AsyncIterable<SuiteQuestionRow>,
): Promise<number> {
  let batch: SuiteQuestionRow[] = [];
  let inserted = 0;
  for await (const row of stream) {
    inserted++;
    batch.push(row);
    if (batch.length < BATCH) continue;
    await insertRows(tx, suiteQuestions, batch);
    batch = [];
  }
  await insertRows(tx, suiteQuestions, batch);
  return inserted;
}

/** The parts of an evaluation with the number of their questions, by name. */
export async function suiteParts(
  db: Database,
  evaluation: string,
): Promise<{ readonly part: string; readonly questions: number }[]> {
  return db
    .select({ part: suiteQuestions.part, questions: count() })
    .from(suiteQuestions)
    .where(eq(suiteQuestions.evaluation, evaluation))
    .groupBy(suiteQuestions.part)
    .orderBy(asc(suiteQuestions.part));
}

/** The committed shards of an evaluation. */
export async function suiteShardsOf(db: Database, evaluation: string): Promise<SuiteShardRow[]> {
  return db
    .select()
    .from(suiteShards)
    .where(eq(suiteShards.evaluation, evaluation))
    .orderBy(asc(suiteShards.part), asc(suiteShards.shard));
}

/** The committed shard of that key; null before. */
export async function findSuiteShard(
  db: Database,
  key: SuiteShardKey,
): Promise<SuiteShardRow | null> {
  const [row] = await db
    .select()
    .from(suiteShards)
    .where(
      and(
        eq(suiteShards.evaluation, key.evaluation),
        eq(suiteShards.part, key.part),
        eq(suiteShards.shard, key.shard),
      ),
    );
  return row ?? null;
}

/** The questions of a shard in their order. */
export async function questionsOfShard(
  db: Database,
  { evaluation, part, shard }: SuiteShardKey,
  shardSize: number,
): Promise<SuiteQuestionRow[]> {
  return db
    .select()
    .from(suiteQuestions)
    .where(
      and(
        eq(suiteQuestions.evaluation, evaluation),
        eq(suiteQuestions.part, part),
        gte(suiteQuestions.ordinal, shard * shardSize),
        lt(suiteQuestions.ordinal, (shard + 1) * shardSize),
      ),
    )
    .orderBy(asc(suiteQuestions.ordinal));
}

/** Commits a shard with its answers; the first one wins. Returns what is stored. */
export async function commitSuiteShard(
  db: Database,
  key: SuiteShardKey,
  answers: readonly Omit<SuiteAnswerRow, 'evaluation' | 'part'>[],
  seconds: number,
): Promise<SuiteShardRow> {
  const { evaluation, part, shard } = key;
  await db.transaction(async (tx) => {
    const inserted = await tx
      .insert(suiteShards)
      .values({
        evaluation,
        part,
        shard,
        answered: answers.length,
        correct: answers.filter(({ correct }) => correct).length,
        completionTokens: answers.reduce((sum, each) => sum + each.completionTokens, 0),
        shardSeconds: seconds,
      })
      .onConflictDoNothing()
      .returning({ shard: suiteShards.shard });
    if (inserted.length === 0) return;
    await insertRows(
      tx,
      suiteAnswers,
      answers.map((answer) => ({ evaluation, part, ...answer })),
    );
  });
  const stored = await findSuiteShard(db, key);
  if (stored === null) throw new Error('a shard that was just written could not be read');
  return stored;
}

/** Sums over the answers of a part so far. */
export interface PartTotals {
  readonly part: string;
  readonly answered: number;
  readonly correct: number;
  readonly tooLong: number;
  readonly completionTokens: number;
  /** Null for BFCL. */
  readonly reward: number | null;
  /** Standard error of the mean reward; null for BFCL, and for a single sample. */
  readonly rewardError: number | null;
  readonly scores: readonly (number | null)[];
}

/** @param tooLong the kind of error of a question that was not asked */
export async function partTotals(
  db: Database,
  evaluation: string,
  tooLong: string,
): Promise<PartTotals[]> {
  const rows = await db
    .select({
      part: suiteAnswers.part,
      answered: count(),
      correct: sql<number>`count(*) filter (where ${suiteAnswers.correct})`.mapWith(Number),
      tooLong: sql<number>`count(*) filter (where ${suiteAnswers.errorType} = ${tooLong})`.mapWith(
        Number,
      ),
      completionTokens: sql<number>`sum(${suiteAnswers.completionTokens})`.mapWith(Number),
      reward: mean(suiteAnswers.reward),
      rewardError: sql<number | null>`stddev_samp(${suiteAnswers.reward}) / sqrt(count(*))`,
      format: mean(suiteAnswers.scoreFormat),
      name: mean(suiteAnswers.scoreName),
      key: mean(suiteAnswers.scoreKey),
      value: mean(suiteAnswers.scoreValue),
    })
    .from(suiteAnswers)
    .where(eq(suiteAnswers.evaluation, evaluation))
    .groupBy(suiteAnswers.part);
  return rows.map(({ format, name, key, value, ...totals }) => ({
    ...totals,
    scores: [format, name, key, value],
  }));
}

/** In a fixed order: sums of floats depend on it. */
function mean(column: AnyPgColumn): SQL<number | null> {
  return sql<number | null>`avg(${column} order by ${suiteAnswers.ordinal})`;
}

/** The questions of a part with their answers, in order. */
export async function answeredQuestions(
  db: Database,
  evaluation: string,
  part: string,
): Promise<{ readonly question: SuiteQuestionRow; readonly answer: SuiteAnswerRow }[]> {
  return db
    .select({ question: suiteQuestions, answer: suiteAnswers })
    .from(suiteQuestions)
    .innerJoin(
      suiteAnswers,
      and(
        eq(suiteAnswers.evaluation, suiteQuestions.evaluation),
        eq(suiteAnswers.part, suiteQuestions.part),
        eq(suiteAnswers.ordinal, suiteQuestions.ordinal),
      ),
    )
    .where(and(eq(suiteQuestions.evaluation, evaluation), eq(suiteQuestions.part, part)))
    .orderBy(asc(suiteQuestions.ordinal));
}
