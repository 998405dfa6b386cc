import type { SuiteShardKey, SuiteShardSummary } from '../contracts/suite-evaluation.ts';
import type { PolicyText } from '../contracts/policy.ts';
import {
  commitSuiteShard,
  findSuiteShard,
  questionsOfShard,
  type SuiteAnswerRow,
  type SuiteShardRow,
} from '../db/suite-answers.ts';
import {
  evaluatedPolicy,
  readSuiteEvaluation,
  type SuiteEvaluationRow,
} from '../db/suite-evaluations.ts';
import { TOO_LONG, type InTime } from '../evaluation/judge.ts';
import { storedTask } from '../evaluation/stored-task.ts';
import { createTimeLimit, withinLimit } from '../policy/text/time-limit.ts';
import { completeGreedily, type GreedyAnswer } from './complete-prompts.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { trainingMemory } from './training-memory.ts';

/** Milliseconds for one answer, which usually takes less than one; far below the time after which a heartbeat is missed. */
const LONGEST_READING = 1000;

/** Completes the questions of one shard greedily, judges the answers, and commits both together. */
export async function evaluateSuiteShard(
  deps: ActivityDependencies,
  key: SuiteShardKey,
): Promise<SuiteShardSummary> {
  const { db } = deps;
  const committed = await findSuiteShard(db, key);
  if (committed !== null) return summary(committed);

  const evaluation = await readSuiteEvaluation(db, key.evaluation);
  const { asked } = evaluation;
  const started = performance.now();
  const questions = await questionsOfShard(db, key, asked.shardSize);
  const limit = createTimeLimit();
  const inTime: InTime = (work) => withinLimit(limit, LONGEST_READING, work);
  const tasks = questions.map((question) => storedTask(question, asked.valueMatch, inTime));
  const text = await deps.policyText(evaluatedPolicy(evaluation).base);
  const prompts = tasks.map(({ prompt }) => text.encodePrompt(prompt));
  const answers = await answer(deps, evaluation, text, prompts);
  const rows = tasks.map(({ judge }, index): Omit<SuiteAnswerRow, 'evaluation' | 'part'> => {
    const given = answers.get(index);
    const { correct, errorType, errors, reward, scores } = judge(given?.completion ?? '');
    return {
      ordinal: questions[index]?.ordinal ?? 0,
      completion: given?.completion ?? '',
      promptTokens: prompts[index]?.length ?? 0,
      completionTokens: given?.tokens ?? 0,
      // Of a prompt that was not asked, too: BFCL's harness takes a server's error for an answer that calls nothing.
      correct,
      errorType: given === undefined ? TOO_LONG : errorType,
      errors: given === undefined ? ["the prompt fills the policy's context"] : errors,
      reward,
      scoreFormat: scores?.format ?? null,
      scoreName: scores?.name ?? null,
      scoreKey: scores?.key ?? null,
      scoreValue: scores?.value ?? null,
    };
  });
  const seconds = (performance.now() - started) / 1000;
  return summary(await commitSuiteShard(db, key, rows, seconds));
}

/**
 * The answers by index of their prompt; none where the prompt leaves no room. A prompt that leaves less room than an answer may take is
 * completed by itself: it must not cut the answers to others short.
 */
async function answer(
  deps: ActivityDependencies,
  evaluation: SuiteEvaluationRow,
  text: PolicyText,
  prompts: readonly (readonly number[])[],
): Promise<ReadonlyMap<number, GreedyAnswer>> {
  const { asked, trainable } = evaluation;
  const { maxCompletionLength } = asked;
  const room = (index: number): number => text.contextLength - (prompts[index]?.length ?? 0);
  const indices = prompts.map((_, index) => index);
  const batches = [
    indices.filter((index) => room(index) >= maxCompletionLength),
    ...indices
      .filter((index) => room(index) > 0 && room(index) < maxCompletionLength)
      .map((index) => [index]),
  ].filter(({ length }) => length > 0);
  const policy = evaluatedPolicy(evaluation);
  const found = new Map<number, GreedyAnswer>();
  const engine = await deps.engine({
    backend: 'onnx',
    threads: asked.threads,
    device: asked.device,
  });
  for (const batch of batches) {
    const given = await completeGreedily(
      engine,
      batch.map((index) => prompts[index] ?? []),
      { policy, text, trainable, maxCompletionLength, memory: trainingMemory('auto') },
    );
    for (const each of given) found.set(batch[each.prompt] ?? -1, each);
  }
  return found;
}

function summary(row: SuiteShardRow): SuiteShardSummary {
  const { answered, correct, completionTokens, shardSeconds: seconds } = row;
  return { answered, correct, completionTokens, seconds };
}
