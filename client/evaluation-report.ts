import type { EvaluationReport } from '../contracts/suite-evaluation.ts';
import type { Database } from '../db/connection.ts';
import { partTotals, suiteParts, suiteShardsOf } from '../db/suite-answers.ts';
import { readSuiteEvaluation } from '../db/suite-evaluations.ts';
import { presentPlace, resultsPlace } from '../services/own-places.ts';
import { TOO_LONG } from '../evaluation/judge.ts';
import { aggregates, partResult } from '../evaluation/report.ts';

/**
 * What an evaluation on a suite has come to so far.
 *
 * @param home - The data folder, in which its results may lie.
 * @throws ToolsampleError `not-found`
 */
export async function evaluationReport(
  db: Database,
  home: string,
  evaluation: string,
): Promise<EvaluationReport> {
  const row = await readSuiteEvaluation(db, evaluation);
  const { asked } = row;
  const totals = await partTotals(db, evaluation, TOO_LONG);
  const shards = await suiteShardsOf(db, evaluation);
  const parts = (await suiteParts(db, evaluation))
    .sort((a, b) => asked.categories.indexOf(a.part) - asked.categories.indexOf(b.part))
    .map(({ part, questions }) => {
      const total = totals.find((each) => each.part === part) ?? NOTHING;
      const own = shards.filter((each) => each.part === part);
      const seconds = own.reduce((sum, each) => sum + each.shardSeconds, 0);
      return partResult({ ...total, part, questions, seconds });
    });
  return {
    evaluation,
    state: row.state,
    reason: row.reason,
    policy: row.policy,
    run: row.run,
    step: row.step,
    suite: row.suite,
    data: asked.data,
    limit: asked.limit,
    parts,
    aggregates: row.suite === 'bfcl' ? aggregates(parts, asked.limit) : [],
    badRows: row.badRows,
    folder:
      row.folder === null
        ? null
        : await presentPlace(row.folder, home, resultsPlace(home, evaluation)),
    startedAt: row.startedAt.toISOString(),
    finishedAt: row.finishedAt?.toISOString() ?? null,
  };
}

const NOTHING = {
  answered: 0,
  correct: 0,
  tooLong: 0,
  completionTokens: 0,
  reward: null,
  rewardError: null,
  scores: [],
} as const;
