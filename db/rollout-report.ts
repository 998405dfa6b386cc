import { and, asc, eq } from 'drizzle-orm';
import type { FinishReason } from '../contracts/policy.ts';
import type { PerSubTask } from '../contracts/reward.ts';
import type { Sample } from '../contracts/sample.ts';
import type { Category } from '../contracts/sampling.ts';
import type { Database } from './connection.ts';
import { samplesById, splitCorpus, toSample } from './corpora.ts';
import { evaluatedSamples } from './evaluations.ts';
import { samples } from './schema/corpora.ts';
import { groups, type DropReason, type GroupState } from './schema/rollouts.ts';
import { rolloutsOfStep, type RolloutRow } from './rollouts.ts';

/** A group of a step with its completions, for people. */
export interface GroupReport {
  /** Order of the draw. */
  readonly rank: number;
  readonly sample: Sample;
  readonly category: Category;
  readonly importance: number;
  readonly state: GroupState;
  readonly dropReason: DropReason | null;
  readonly round: number;
  readonly completions: readonly CompletionReport[];
}

/** One completion with its reward taken apart; nulls until it is scored. */
export interface CompletionReport {
  readonly index: number;
  readonly completion: string;
  readonly completionTokens: number;
  readonly finishReason: FinishReason;
  readonly scores: PerSubTask<number | null>;
  readonly reward: number | null;
  readonly weightedReward: number | null;
  readonly exactMatch: boolean | null;
  /** Null when the group was not trained on. */
  readonly advantage: number | null;
}

/** The completed groups of a step in the order of the draw; of one sample only when it is named. */
export async function groupReports(
  db: Database,
  run: string,
  step: number,
  sampleId?: string,
): Promise<GroupReport[]> {
  const drawn = await db
    .select({ group: groups, sample: samples })
    .from(groups)
    .innerJoin(
      samples,
      and(eq(samples.corpus, groups.corpus), eq(samples.sampleId, groups.sampleId)),
    )
    .where(
      and(
        eq(groups.run, run),
        eq(groups.step, step),
        sampleId === undefined ? undefined : eq(groups.sampleId, sampleId),
      ),
    )
    .orderBy(asc(groups.rank));
  // The epoch is not part of the key in Postgres.
  const rows = await rolloutsOfStep(db, { run, step, epoch: 0 });
  return drawn
    .map(({ group, sample }) => ({
      rank: group.rank,
      sample: toSample(sample),
      category: group.drawnCategory,
      importance: group.drawnImportance,
      state: group.state,
      dropReason: group.dropReason,
      round: group.round ?? 0,
      completions: rows.filter(({ rank }) => rank === group.rank).map(toCompletionReport),
    }))
    .filter(({ completions }) => completions.length > 0);
}

/** A held-out sample and what the policy made of it. */
export interface EvaluationAnswer {
  readonly sample: Sample;
  readonly completion: string;
  readonly exactMatch: boolean;
  readonly reward: number;
  readonly scores: PerSubTask;
}

/** The completions of one evaluation by sample id; empty when that step was not evaluated on the split. */
export async function evaluationAnswers(
  db: Database,
  run: string,
  step: number,
  split: string,
): Promise<EvaluationAnswer[]> {
  const corpus = await splitCorpus(db, run, split);
  const rows = await evaluatedSamples(db, { run, step, split, epoch: 0 });
  if (corpus === null || rows.length === 0) return [];
  const found = await samplesById(
    db,
    corpus,
    rows.map((row) => row.sampleId),
  );
  return rows.flatMap((row) => {
    const sample = found.get(row.sampleId);
    if (sample === undefined) return [];
    const { completion, exactMatch, reward } = row;
    const scores = {
      format: row.scoreFormat,
      name: row.scoreName,
      key: row.scoreKey,
      value: row.scoreValue,
    };
    return [{ sample, completion, exactMatch, reward, scores }];
  });
}

function toCompletionReport(row: RolloutRow): CompletionReport {
  return {
    index: row.index,
    completion: row.completion,
    completionTokens: row.completionTokens,
    finishReason: row.finishReason,
    scores: {
      format: row.scoreFormat,
      name: row.scoreName,
      key: row.scoreKey,
      value: row.scoreValue,
    },
    reward: row.reward,
    weightedReward: row.weightedReward,
    exactMatch: row.exactMatch,
    advantage: row.advantage,
  };
}
