import { and, asc, desc, eq, sql } from 'drizzle-orm';
import { Z_95 } from '../contracts/confidence.ts';
import { originAt, type RunOrigin } from '../contracts/fork.ts';
import { expectedSteps } from '../contracts/pace.ts';
import type { EvaluationStatus, RunStatus } from '../contracts/run-status.ts';
import { committedStep } from './checkpoints.ts';
import type { Database } from './connection.ts';
import { rewardErrorOf } from './evaluations.ts';
import { workerIsThere } from './presence.ts';
import { requestsOf } from './requests.ts';
import { runDataStatus } from './run-data-status.ts';
import { readRun, type RunRow } from './runs.ts';
import { evaluations } from './schema/policies.ts';
import { runs, runSplits } from './schema/runs.ts';
import { readRunAt, settingChangesOf } from './setting-changes.ts';
import { stepStatus } from './step-status.ts';
import { generatedTokensUpTo } from './steps.ts';

/**
 * How a run stands.
 * @throws ToolsampleError `not-found`
 */
export async function runStatus(db: Database, run: string): Promise<RunStatus> {
  const row = await readRun(db, run);
  return statusOf(db, row, row.state === 'running' && !(await workerIsThere(db)));
}

/** How every run stands, newest first. */
export async function listRuns(db: Database): Promise<RunStatus[]> {
  const rows = await db.select().from(runs).orderBy(desc(runs.startedAt), asc(runs.run));
  const statuses: RunStatus[] = [];
  const alone = rows.some(({ state }) => state === 'running') && !(await workerIsThere(db));
  for (const row of rows) statuses.push(await statusOf(db, row, alone && row.state === 'running'));
  return statuses;
}

async function statusOf(db: Database, run: RunRow, withoutWorker: boolean): Promise<RunStatus> {
  const step = await committedStep(db, run.run);
  const [lastStep] = await stepStatus(db, run.run, step - 1);
  // A fork may have another budget than its parent.
  const { maxGeneratedTokens: tokenBudget } = (await readRunAt(db, run.run, step + 1)).config;
  const spent = {
    step,
    tokenBudget,
    generatedTokens: await generatedTokensUpTo(db, run.run, step),
  };
  return {
    run: run.run,
    state: run.state,
    withoutWorker,
    epoch: Math.ceil(step / run.stepsPerEpoch),
    step,
    totalSteps: expectedSteps(run.totalSteps, spent),
    policySha256: run.policySha256,
    policyFolder: run.policyFolder,
    policyStep: run.policyStep,
    generatedTokens: await generatedTokensUpTo(db, run.run),
    data: await runDataStatus(db, run),
    evaluations: await evaluationsOf(db, run.run),
    lastStep: lastStep ?? null,
    forkOf: originOf(run),
    startedAt: run.startedAt.toISOString(),
    finishedAt: run.finishedAt?.toISOString() ?? null,
    reason: run.reason,
    requested: run.requested,
    requests: await requestsOf(db, run.run),
    settings: (await settingChangesOf(db, run.run)).map(({ event: _event, ...change }) => change),
  };
}

function originOf({ forkOf, forkStep, stepsPerEpoch }: RunRow): RunOrigin | null {
  return forkOf === null || forkStep === null ? null : originAt(forkOf, forkStep, stepsPerEpoch);
}

/** All evaluations of a run by step and split, in the order of the splits. */
async function evaluationsOf(db: Database, run: string): Promise<EvaluationStatus[]> {
  const rows = await db
    .select({
      evaluation: evaluations,
      error: sql<number>`coalesce(${evaluations.rewardError}, ${rewardErrorOf(evaluations)})`,
    })
    .from(evaluations)
    .innerJoin(
      runSplits,
      and(eq(runSplits.run, evaluations.run), eq(runSplits.split, evaluations.split)),
    )
    .where(eq(evaluations.run, run))
    .orderBy(asc(evaluations.step), asc(runSplits.ordinal));
  return rows.map(({ evaluation, error }) => ({
    epoch: evaluation.epoch,
    step: evaluation.step,
    split: evaluation.split,
    n: evaluation.n,
    exactMatch: evaluation.exactMatch,
    exactMatchLow: evaluation.exactMatchLow,
    exactMatchHigh: evaluation.exactMatchHigh,
    reward: evaluation.reward,
    rewardLow: evaluation.reward - Z_95 * error,
    rewardHigh: evaluation.reward + Z_95 * error,
    scores: {
      format: evaluation.scoreFormat,
      name: evaluation.scoreName,
      key: evaluation.scoreKey,
      value: evaluation.scoreValue,
    },
    seconds: evaluation.evaluationSeconds,
  }));
}
