import type { EvaluationKey } from '../contracts/activities.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { SUITE_SPLIT } from '../contracts/evaluation-plan.ts';
import type { Sample } from '../contracts/sample.ts';
import { policyAfter } from '../db/checkpoints.ts';
import { samplesInOrder, splitCorpus } from '../db/corpora.ts';
import {
  commitEvaluationChunk,
  evaluatedSampleIds,
  type EvaluationSampleRow,
} from '../db/evaluations.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { scoreCompletion } from '../dscl/reward.ts';
import { completeGreedily } from './complete-prompts.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { trainableOptions } from './engine-options.ts';
import { trainingMemory } from './training-memory.ts';

/** Samples that are completed together and committed together: what a crash can lose. Batched as ever, each completion stays the same. */
export const EVALUATION_CHUNK = 64;

/** Which chunks of a split: one of so many shares, in turn. */
export interface ChunkShare {
  /** 0-based. */
  readonly shard: number;
  readonly shards: number;
}

/**
 * Completes a share of a split's chunks greedily with the policy after a step, scores them with the unweighted reward, and commits
 * each; those that somebody committed before are kept.
 *
 * @returns seconds that it took
 * @throws ToolsampleError `not-found` when the run has no such split
 */
export async function evaluateChunks(
  deps: ActivityDependencies,
  key: EvaluationKey,
  { shard, shards }: ChunkShare,
): Promise<number> {
  const { db } = deps;
  const corpus = await splitCorpus(db, key.run, key.split);
  if (corpus === null) {
    throw new ToolsampleError('not-found', `run "${key.run}" has no split "${key.split}"`);
  }
  const started = performance.now();
  const done = await evaluatedSampleIds(db, key);
  for (let chunk = shard; ; chunk += shards) {
    const from = chunk * EVALUATION_CHUNK;
    const samples = await samplesInOrder(db, corpus, from, EVALUATION_CHUNK);
    // A chunk is committed whole: the first sample tells of all.
    const [first] = samples;
    if (first === undefined) return (performance.now() - started) / 1000;
    if (done.has(first.id)) continue;
    const rows = await evaluateChunk(deps, key, samples);
    await commitEvaluationChunk(
      db,
      key,
      rows.map((row) => ({ corpus, ...row })),
    );
  }
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
    memory: trainingMemory(config.memoryLimit),
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
