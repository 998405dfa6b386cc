import type { EvaluationSummary, WholeEvaluation } from '../contracts/activities.ts';
import {
  commitEvaluation,
  evaluatedSamples,
  findEvaluation,
  type EvaluationRow,
  type EvaluationSampleRow,
} from '../db/evaluations.ts';
import { wilsonInterval } from '../dscl/wilson-interval.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { evaluateChunks } from './evaluation-chunks.ts';

/**
 * Evaluates the policy after a step on a held-out split: completes and scores what no shard and no earlier attempt has, and commits
 * the means over all samples.
 */
export async function evaluatePolicy(
  deps: ActivityDependencies,
  { shardSeconds = 0, ...key }: WholeEvaluation,
): Promise<EvaluationSummary> {
  const { db } = deps;
  const committed = await findEvaluation(db, key);
  if (committed !== null) return summary(committed);

  const seconds = shardSeconds + (await evaluateChunks(deps, key, { shard: 0, shards: 1 }));
  const rows = await evaluatedSamples(db, key);
  return summary(await commitEvaluation(db, key, { ...means(rows), evaluationSeconds: seconds }));
}

function means(rows: readonly EvaluationSampleRow[]) {
  const n = rows.length;
  const mean = (value: (row: EvaluationSampleRow) => number): number =>
    n === 0 ? 0 : rows.reduce((sum, row) => sum + value(row), 0) / n;
  const matches = rows.filter(({ exactMatch }) => exactMatch).length;
  const interval = wilsonInterval(matches, n);
  return {
    n,
    exactMatch: n === 0 ? 0 : matches / n,
    exactMatchLow: interval.low,
    exactMatchHigh: interval.high,
    reward: mean((row) => row.reward),
    scoreFormat: mean((row) => row.scoreFormat),
    scoreName: mean((row) => row.scoreName),
    scoreKey: mean((row) => row.scoreKey),
    scoreValue: mean((row) => row.scoreValue),
  };
}

function summary(row: EvaluationRow): EvaluationSummary {
  const { n, exactMatch, exactMatchLow, exactMatchHigh, reward } = row;
  return { n, exactMatch, exactMatchLow, exactMatchHigh, reward };
}
