import type { RunPlan } from '../contracts/activities.ts';
import { committedSlice, committedStep } from '../db/checkpoints.ts';
import { splitSizes } from '../db/corpora.ts';
import type { Database } from '../db/connection.ts';
import { splitsOf } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { EVALUATION_CHUNK } from './evaluation-chunks.ts';

/** More would fill histories, and wait for workers that nobody has. */
const MAX_EVALUATION_SHARDS = 32;

/** What the workflow has to know of a prepared run to go on with it. */
export async function runPlan(db: Database, run: string): Promise<RunPlan> {
  const committed = await committedStep(db, run);
  const row = await readRunAt(db, run, committed + 1);
  const committedSlices = await committedSlice(db, run);
  return {
    name: row.run,
    policy: row.policy,
    sampler: row.sampler,
    curriculum: row.curriculum,
    epochs: row.epochs,
    stepsPerEpoch: row.stepsPerEpoch,
    totalSteps: row.totalSteps,
    maxBackfillRounds: row.config.maxBackfillRounds,
    warmStartSlices: row.warmStartSlices,
    // With eval_tokens a run has as many as it has steps, and a resumed one needs none of the past.
    evaluateAt: row.evaluateAt.filter((step) => step >= committed),
    splits: await splitsOf(db, run),
    evaluationShards: await evaluationShards(db, run),
    committedStep: committed,
    ...(committedSlices > 0 ? { committedSlices } : {}),
    ...(row.config.gradientShards > 1 ? { gradientShards: row.config.gradientShards } : {}),
    ...(row.forkOf === null ? {} : { forkOf: row.forkOf }),
  };
}

async function evaluationShards(
  db: Database,
  run: string,
): Promise<{ readonly [split: string]: number }> {
  const chunked = (await splitSizes(db, run)).map(
    ({ split, samples }) => [split, Math.ceil(samples / EVALUATION_CHUNK)] as const,
  );
  return Object.fromEntries(
    chunked
      .filter(([, chunks]) => chunks > 1)
      .map(([split, chunks]) => [split, Math.min(chunks, MAX_EVALUATION_SHARDS)]),
  );
}
