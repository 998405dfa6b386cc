import { and, eq, inArray, sql } from 'drizzle-orm';
import { ToolsampleError } from '../contracts/errors.ts';
import type { PolicyRef } from '../contracts/policy.ts';
import type { EvaluationAsked, SuiteState } from '../contracts/suite-evaluation.ts';
import { jsonSha256 } from './canonical-json.ts';
import { reference } from './checkpoints.ts';
import type { Database } from './connection.ts';
import { suiteEvaluations } from './schema/suites.ts';

export type SuiteEvaluationRow = typeof suiteEvaluations.$inferSelect;
export type NewSuiteEvaluation = Pick<SuiteEvaluationRow, 'evaluation' | 'asked' | 'trainable'> & {
  readonly policy: PolicyRef;
};

/** An evaluation on a suite, or null when there is none of that id. */
export async function findSuiteEvaluation(
  db: Database,
  evaluation: string,
): Promise<SuiteEvaluationRow | null> {
  const [row] = await db
    .select()
    .from(suiteEvaluations)
    .where(eq(suiteEvaluations.evaluation, evaluation));
  return row ?? null;
}

/** @throws ToolsampleError `not-found` */
export async function readSuiteEvaluation(
  db: Database,
  evaluation: string,
): Promise<SuiteEvaluationRow> {
  const row = await findSuiteEvaluation(db, evaluation);
  if (row !== null) return row;
  throw new ToolsampleError('not-found', `there is no evaluation "${evaluation}"`, {
    hint: '`toolsample sql "select evaluation, state from suite_evaluations"` lists them',
  });
}

/** Reads an evaluation and holds its row until the transaction ends: one attempt after the other. @throws ToolsampleError `not-found` */
export async function lockSuiteEvaluation(
  tx: Database,
  evaluation: string,
): Promise<SuiteEvaluationRow> {
  await tx
    .select({ evaluation: suiteEvaluations.evaluation })
    .from(suiteEvaluations)
    .where(eq(suiteEvaluations.evaluation, evaluation))
    .for('no key update');
  return readSuiteEvaluation(tx, evaluation);
}

/** An evaluation that goes on is of what it was. @throws ToolsampleError `config` that says what differs */
export function requireSameEvaluation(
  { evaluation, asked: known }: SuiteEvaluationRow,
  asked: EvaluationAsked,
): void {
  if (jsonSha256(known) === jsonSha256(asked)) return;
  const keys = Object.keys(asked) as (keyof EvaluationAsked)[];
  const different = keys.find((key) => jsonSha256(known[key]) !== jsonSha256(asked[key]));
  throw new ToolsampleError(
    'config',
    `evaluation "${evaluation}" exists, of something else (${different ?? 'something'} differs)`,
    { hint: 'choose another --name' },
  );
}

/** Creates an evaluation; its questions follow in the same transaction. */
export async function insertSuiteEvaluation(
  tx: Database,
  { evaluation, asked, trainable, policy }: NewSuiteEvaluation,
): Promise<void> {
  const ofRun = typeof asked.policy === 'string' ? null : asked.policy;
  await tx.insert(suiteEvaluations).values({
    evaluation,
    state: 'running',
    suite: asked.suite,
    policy: asked.policyName,
    run: ofRun?.run ?? null,
    step: ofRun?.step ?? null,
    asked,
    baseSha256: policy.base.sha256,
    baseBytes: policy.base.bytes,
    weightsSha256: policy.weights?.sha256 ?? null,
    weightsBytes: policy.weights?.bytes ?? null,
    trainable,
    badRows: 0,
  });
}

/** Records how many rows of the data were left out. */
export async function setBadRows(tx: Database, evaluation: string, badRows: number): Promise<void> {
  await tx
    .update(suiteEvaluations)
    .set({ badRows })
    .where(eq(suiteEvaluations.evaluation, evaluation));
}

/** The policy that is evaluated. */
export function evaluatedPolicy(row: SuiteEvaluationRow): PolicyRef {
  const { baseSha256, baseBytes, weightsSha256, weightsBytes } = row;
  return {
    base: { sha256: baseSha256, bytes: baseBytes },
    weights: reference(weightsSha256, weightsBytes),
    optimizer: null,
  };
}

/**
 * Sets how an evaluation stands. A completed one stays completed, and one that has ended otherwise can only go on; nothing happens where
 * it never came to be.
 */
export async function setSuiteState(
  db: Database,
  evaluation: string,
  state: Exclude<SuiteState, 'completed'>,
  reason: string | null,
): Promise<void> {
  await db
    .update(suiteEvaluations)
    .set({ state, reason, finishedAt: state === 'running' ? null : sql`now()` })
    .where(
      and(
        eq(suiteEvaluations.evaluation, evaluation),
        inArray(
          suiteEvaluations.state,
          state === 'running' ? ['running', 'failed', 'stopped'] : ['running'],
        ),
      ),
    );
}

/** @param folder of the results; null where none are written */
export async function completeSuiteEvaluation(
  db: Database,
  evaluation: string,
  folder: string | null,
): Promise<void> {
  await db
    .update(suiteEvaluations)
    .set({ state: 'completed', reason: null, folder, finishedAt: sql`now()` })
    .where(eq(suiteEvaluations.evaluation, evaluation));
}
