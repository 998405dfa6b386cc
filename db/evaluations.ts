import { and, asc, eq, sql, type SQL, type SQLWrapper } from 'drizzle-orm';
import type { EvaluationKey } from '../contracts/activities.ts';
import { insertRows } from './bulk-insert.ts';
import type { Database } from './connection.ts';
import { evaluations, evaluationSamples } from './schema/policies.ts';

export type EvaluationRow = typeof evaluations.$inferSelect;
export type EvaluationSampleRow = typeof evaluationSamples.$inferSelect;
/** One held-out completion, without its key. */
export type NewEvaluationSample = Omit<EvaluationSampleRow, 'run' | 'step' | 'split'>;
/** The numbers of a finished evaluation, without its key. */
export type NewEvaluation = Omit<
  EvaluationRow,
  'run' | 'step' | 'split' | 'epoch' | 'rewardError' | 'evaluatedAt'
>;

/** The finished evaluation of that key; null before. */
export async function findEvaluation(
  db: Database,
  key: EvaluationKey,
): Promise<EvaluationRow | null> {
  const [row] = await db
    .select()
    .from(evaluations)
    .where(
      and(
        eq(evaluations.run, key.run),
        eq(evaluations.step, key.step),
        eq(evaluations.split, key.split),
      ),
    );
  return row ?? null;
}

/** Commits some completions of an evaluation under way; those that are stored already stay. */
export async function commitEvaluationChunk(
  db: Database,
  key: EvaluationKey,
  chunk: readonly NewEvaluationSample[],
): Promise<void> {
  const { run, step, split } = key;
  await insertRows(
    db,
    evaluationSamples,
    chunk.map((each) => ({ run, step, split, ...each })),
  );
}

/** The completions of an evaluation that are committed so far, by sample id. */
export async function evaluatedSamples(
  db: Database,
  key: EvaluationKey,
): Promise<EvaluationSampleRow[]> {
  return db
    .select()
    .from(evaluationSamples)
    .where(ofEvaluation(key))
    .orderBy(asc(evaluationSamples.sampleId));
}

/** Which samples of an evaluation are committed so far. */
export async function evaluatedSampleIds(
  db: Database,
  key: EvaluationKey,
): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ sampleId: evaluationSamples.sampleId })
    .from(evaluationSamples)
    .where(ofEvaluation(key));
  return new Set(rows.map(({ sampleId }) => sampleId));
}

function ofEvaluation({ run, step, split }: EvaluationKey): SQL | undefined {
  return and(
    eq(evaluationSamples.run, run),
    eq(evaluationSamples.step, step),
    eq(evaluationSamples.split, split),
  );
}

/** The standard error of the mean reward of an evaluation's samples, worked out from them all; of a single one it counts as 0. */
export function rewardErrorOf(key: {
  readonly [column in 'run' | 'step' | 'split']: SQLWrapper | string | number;
}): SQL<number> {
  return sql<number>`(select coalesce(stddev_samp(s.reward) / sqrt(count(*)), 0) from ${evaluationSamples} s
    where s.run = ${key.run} and s.step = ${key.step} and s.split = ${key.split})`;
}

/**
 * Commits a finished evaluation; the first one wins. How far its samples spread is kept with it: whoever watches a run asks for that
 * twice a second, of all its evaluations. Returns what is stored.
 */
export async function commitEvaluation(
  db: Database,
  key: EvaluationKey,
  evaluation: NewEvaluation,
): Promise<EvaluationRow> {
  const { run, step, split, epoch } = key;
  await db
    .insert(evaluations)
    .values({ run, step, split, epoch, ...evaluation, rewardError: rewardErrorOf(key) })
    .onConflictDoNothing();
  const stored = await findEvaluation(db, key);
  if (stored === null) throw new Error('an evaluation that was just written could not be read');
  return stored;
}
