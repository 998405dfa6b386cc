import type { RunPlan } from '../contracts/activities.ts';
import { committedStep } from '../db/checkpoints.ts';
import type { Database } from '../db/connection.ts';
import { splitsOf } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';

/** What the workflow has to know of a prepared run to go on with it. */
export async function runPlan(db: Database, run: string): Promise<RunPlan> {
  const committed = await committedStep(db, run);
  const row = await readRunAt(db, run, committed + 1);
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
    evaluateAt: row.evaluateAt,
    splits: await splitsOf(db, run),
    committedStep: committed,
    ...(row.forkOf === null ? {} : { forkOf: row.forkOf }),
  };
}
