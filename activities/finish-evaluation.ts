import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SuiteEvaluationKey } from '../contracts/suite-evaluation.ts';
import type { JsonValue } from '../contracts/json.ts';
import { answeredQuestions, suiteParts } from '../db/suite-answers.ts';
import {
  completeSuiteEvaluation,
  lockSuiteEvaluation,
  readSuiteEvaluation,
  type SuiteEvaluationRow,
} from '../db/suite-evaluations.ts';
import type { Database } from '../db/connection.ts';
import type { BfclCategory } from '../evaluation/bfcl/categories.ts';
import { resultLine, resultPlaces, scoreLines } from '../evaluation/bfcl/official-files.ts';
import { createFile } from '../services/new-file.ts';
import { resultsPlace } from '../services/own-places.ts';
import { flushFolder, replaceFolder, withUnfinishedFolder } from '../services/replaced-folder.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { requireUncancelled } from './heartbeat.ts';

/**
 * Writes the results of BFCL as files in its own layout, `<home>/evaluations/<evaluation>`, and completes the evaluation. The folder
 * appears whole or not at all; of several attempts the first one counts.
 */
export async function finishEvaluation(
  deps: Pick<ActivityDependencies, 'db' | 'dataFolder'>,
  { evaluation }: SuiteEvaluationKey,
): Promise<{ readonly folder: string | null }> {
  const { db, dataFolder } = deps;
  const row = await readSuiteEvaluation(db, evaluation);
  if (row.state === 'completed') return { folder: row.folder };
  if (row.suite !== 'bfcl') {
    await completeSuiteEvaluation(db, evaluation, null);
    return { folder: null };
  }
  const folder = resultsPlace(dataFolder, evaluation);
  return withUnfinishedFolder(folder, async (unfinished) => {
    for (const { part } of await suiteParts(db, evaluation)) {
      await writePart(db, row, part as BfclCategory, unfinished);
    }
    await flushFolder(unfinished);
    return db.transaction(async (tx) => {
      const now = await lockSuiteEvaluation(tx, evaluation);
      if (now.state === 'completed') return { folder: now.folder };
      requireUncancelled();
      // A folder that stands there already is of an attempt that died before its commit.
      await replaceFolder(unfinished, folder);
      await completeSuiteEvaluation(tx, evaluation, folder);
      return { folder };
    });
  });
}

async function writePart(
  db: Database,
  { evaluation, policy }: SuiteEvaluationRow,
  category: BfclCategory,
  folder: string,
): Promise<void> {
  const answers = (await answeredQuestions(db, evaluation, category)).map(
    ({ question, answer }) => ({
      ...answer,
      id: question.questionId,
      question: question.question as JsonValue,
      answer: question.answer,
    }),
  );
  const files = [
    { kind: 'result', lines: answers.map(resultLine) },
    { kind: 'score', lines: scoreLines(policy, category, answers) },
  ] as const;
  for (const { kind, lines } of files) {
    for (const place of resultPlaces(policy, category, kind)) {
      const path = join(folder, place);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const file = await createFile(path);
      for (const line of lines) await file.write(line);
      await file.finish();
    }
  }
}
