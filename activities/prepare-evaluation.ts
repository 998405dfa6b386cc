import { sql } from 'drizzle-orm';
import type { PolicyRef, TrainableOptions } from '../contracts/policy.ts';
import type {
  EvaluationAsked,
  EvaluationPlan,
  SuiteEvaluationKey,
} from '../contracts/suite-evaluation.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { lockArtifactReferences } from '../db/artifact-references.ts';
import { newestPolicy } from '../db/checkpoints.ts';
import type { Database } from '../db/connection.ts';
import { readRunAt } from '../db/setting-changes.ts';
import {
  insertSuiteQuestions,
  suiteParts,
  suiteShardsOf,
  type SuiteQuestionRow,
} from '../db/suite-answers.ts';
import {
  findSuiteEvaluation,
  insertSuiteEvaluation,
  readSuiteEvaluation,
  requireSameEvaluation,
  setBadRows,
  setSuiteState,
} from '../db/suite-evaluations.ts';
import { readAsked } from '../evaluation/checked-input.ts';
import { suiteQuestions } from '../evaluation/suite-questions.ts';
import { BUILTIN_POLICY } from '../policy/checkpoint/builtin-policy.ts';
import { importPolicyFolder } from '../policy/checkpoint/import-policy.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { trainableOptions } from './engine-options.ts';

type Deps = Pick<ActivityDependencies, 'db' | 'artifacts'>;

/** A policy that no run has trained. */
const UNTRAINED: TrainableOptions = { mode: 'full', loraRank: 1, loraAlpha: 1, seed: 0 };

/**
 * Makes an evaluation on a suite ready: the policy is taken into the store, and the questions into Postgres, where later changes to the
 * files do not reach them. One that exists already goes on where it was.
 *
 * @throws ToolsampleError `config`, `dataset`, `checkpoint`, `tokenizer` or `not-found` for what the user has to change
 */
export async function prepareEvaluation(
  deps: Deps,
  { evaluation, asked: given }: SuiteEvaluationKey & { readonly asked: EvaluationAsked },
): Promise<EvaluationPlan> {
  const { db } = deps;
  const asked = readAsked(given);
  const existing = await findSuiteEvaluation(db, evaluation);
  if (existing === null) {
    await create(deps, evaluation, asked);
  } else {
    requireSameEvaluation(existing, asked);
    await setSuiteState(db, evaluation, 'running', null);
  }
  return evaluationPlan(db, evaluation);
}

async function create(
  { db, artifacts }: Deps,
  evaluation: string,
  asked: EvaluationAsked,
): Promise<void> {
  const { policy: from, data } = asked;
  // A folder takes seconds to read: before anything is locked.
  const folder = typeof from === 'string' ? (from === 'builtin' ? BUILTIN_POLICY : from) : null;
  const imported = folder === null ? null : await importPolicyFolder(folder, artifacts);
  await db.transaction(async (tx) => {
    // Two attempts at once: the second waits, and finds the evaluation of the first.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${evaluation}, 0))`);
    if ((await findSuiteEvaluation(tx, evaluation)) !== null) return;
    const chosen =
      imported === null
        ? await policyOfRun(tx, from as RunPolicy)
        : { policy: imported, trainable: UNTRAINED };
    await insertSuiteEvaluation(tx, { evaluation, asked, ...chosen });
    const read = suiteQuestions(asked);
    const inserted = await insertSuiteQuestions(tx, withKey(evaluation, read.questions));
    if (inserted === 0) {
      throw new ToolsampleError('dataset', 'has no questions', { at: { file: data } });
    }
    await setBadRows(tx, evaluation, read.badRows());
    // Last, as whoever commits or deletes a checkpoint waits from here on: was it deleted meanwhile?
    await lockArtifactReferences(tx);
    if (imported === null) await policyOfRun(tx, from as RunPolicy);
  });
}

type RunPolicy = Exclude<EvaluationAsked['policy'], string>;

/** @throws ToolsampleError `not-found` when it is not kept */
async function policyOfRun(
  db: Database,
  { run, step }: RunPolicy,
): Promise<{ readonly policy: PolicyRef; readonly trainable: TrainableOptions }> {
  const point = await newestPolicy(db, run, step);
  if (point?.step !== step) {
    throw new ToolsampleError(
      'not-found',
      `the policy after step ${step} of run "${run}" is not kept`,
      {
        hint: 'evaluate another epoch: RUN@EPOCH',
      },
    );
  }
  const { config } = await readRunAt(db, run, step);
  return { policy: point.policy, trainable: trainableOptions(config) };
}

async function* withKey(
  evaluation: string,
  questions: ReturnType<typeof suiteQuestions>['questions'],
): AsyncGenerator<SuiteQuestionRow> {
  for await (const question of questions) yield { evaluation, ...question };
}

async function evaluationPlan(db: Database, evaluation: string): Promise<EvaluationPlan> {
  const { asked } = await readSuiteEvaluation(db, evaluation);
  const done = await suiteShardsOf(db, evaluation);
  const parts = await suiteParts(db, evaluation);
  return {
    policy: asked.policyName,
    parts: inOrder(parts, asked.categories).map(({ part, questions }) => ({
      part,
      questions,
      shards: Math.ceil(questions / asked.shardSize),
      done: done.filter((each) => each.part === part).map(({ shard }) => shard),
    })),
  };
}

/** In the order of the categories that were asked for. */
function inOrder<T extends { readonly part: string }>(
  parts: readonly T[],
  categories: readonly string[],
): T[] {
  return [...parts].sort((a, b) => categories.indexOf(a.part) - categories.indexOf(b.part));
}
