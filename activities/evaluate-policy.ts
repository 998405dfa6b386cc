import type { EvaluationKey, EvaluationSummary } from '../contracts/activities.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { SUITE_SPLIT } from '../contracts/evaluation-plan.ts';
import type { Sample } from '../contracts/sample.ts';
import { policyAfter } from '../db/checkpoints.ts';
import { samplesInOrder, splitCorpus } from '../db/corpora.ts';
import {
  commitEvaluation,
  commitEvaluationChunk,
  evaluatedSamples,
  findEvaluation,
  type EvaluationRow,
  type EvaluationSampleRow,
} from '../db/evaluations.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { scoreCompletion } from '../dscl/reward.ts';
import { wilsonInterval } from '../dscl/wilson-interval.ts';
import { completeGreedily } from './complete-prompts.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { trainableOptions } from './engine-options.ts';

/** Samples that are completed together and committed together: what a crash can lose. */
const CHUNK = 64;

/**
 * Completes every sample of a held-out split greedily with the policy after a step, scores it with the unweighted reward,
 * and commits the means; chunks that an earlier attempt committed are kept.
 */
export async function evaluatePolicy(
  deps: ActivityDependencies,
  key: EvaluationKey,
): Promise<EvaluationSummary> {
  const { db } = deps;
  const committed = await findEvaluation(db, key);
  if (committed !== null) return summary(committed);

  const corpus = await splitCorpus(db, key.run, key.split);
  if (corpus === null) {
    throw new ToolsampleError('not-found', `run "${key.run}" has no split "${key.split}"`);
  }
  const started = performance.now();
  const done = new Set((await evaluatedSamples(db, key)).map(({ sampleId }) => sampleId));
  for (let from = 0; ; from += CHUNK) {
    const chunk = await samplesInOrder(db, corpus, from, CHUNK);
    if (chunk.length === 0) break;
    // A chunk is committed whole: the first sample tells of all. Batched as ever, each completion stays the same.
    const [first] = chunk;
    if (first === undefined || done.has(first.id)) continue;
    const rows = await evaluateChunk(deps, key, chunk);
    await commitEvaluationChunk(
      db,
      key,
      rows.map((row) => ({ corpus, ...row })),
    );
  }
  const seconds = (performance.now() - started) / 1000;
  const rows = await evaluatedSamples(db, key);
  return summary(await commitEvaluation(db, key, { ...means(rows), evaluationSeconds: seconds }));
}

type Judged = Omit<EvaluationSampleRow, 'run' | 'step' | 'split' | 'corpus'>;

async function evaluateChunk(
  deps: ActivityDependencies,
  key: EvaluationKey,
  chunk: readonly Sample[],
): Promise<Judged[]> {
  const { db } = deps;
  const { config } = await readRunAt(db, key.run, key.step);
  const policy = await policyAfter(db, key.run, key.step);
  const text = await deps.policyText(policy.base);
  const prompts = chunk.map((sample) => text.encodePrompt(sample));
  const engine = await deps.engine(config);
  const answers = await completeGreedily(engine, prompts, {
    policy,
    text,
    trainable: trainableOptions(config),
    maxCompletionLength: config.maxCompletionLength,
  });
  return answers.map(({ prompt, completion, tokens }) => {
    const sample = chunk[prompt];
    if (sample === undefined) throw new Error(`the engine answered for prompt ${prompt}`);
    const { scores, reward, exactMatch } = scoreCompletion({
      completion,
      groundTruth: sample,
      // BFCL allows several values, whatever the run's own reward does.
      valueMatch:
        key.split === SUITE_SPLIT && sample.allowedValues !== undefined
          ? 'bfcl'
          : config.valueMatch,
    });
    return {
      sampleId: sample.id,
      completion,
      completionTokens: tokens,
      exactMatch,
      reward,
      scoreFormat: scores.format,
      scoreName: scores.name,
      scoreKey: scores.key,
      scoreValue: scores.value,
    };
  });
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
