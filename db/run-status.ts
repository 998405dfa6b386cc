import { and, asc, desc, eq, gt, inArray, sql } from 'drizzle-orm';
import type { EvaluationStatus, RunStatus, StepStatus } from '../contracts/run-status.ts';
import type { Database } from './connection.ts';
import { curriculumVersions } from './schema/learning.ts';
import { evaluations } from './schema/policies.ts';
import { runs } from './schema/runs.ts';
import { steps } from './schema/steps.ts';
import { readRun, type RunRow } from './runs.ts';

/** How far a run is. @throws ToolsampleError `not-found` */
export async function runStatus(db: Database, run: string): Promise<RunStatus> {
  const [status] = await statusOf(db, [await readRun(db, run)]);
  if (status === undefined) throw new Error('a run that exists has no status');
  return status;
}

/** All runs, newest first. */
export async function allRunStatus(db: Database): Promise<RunStatus[]> {
  return statusOf(db, await db.select().from(runs).orderBy(desc(runs.startedAt), asc(runs.run)));
}

/** The committed steps of a run in order, those after step `after`. */
export async function stepStatus(db: Database, run: string, after = 0): Promise<StepStatus[]> {
  const rows = await db
    .select({ step: steps, curriculum: curriculumVersions })
    .from(steps)
    .innerJoin(
      curriculumVersions,
      and(eq(curriculumVersions.run, steps.run), eq(curriculumVersions.version, steps.step)),
    )
    .where(
      and(
        eq(steps.run, run),
        gt(steps.step, after),
        inArray(steps.state, ['committed', 'skipped']),
      ),
    )
    .orderBy(asc(steps.step));
  return rows.map(toStepStatus);
}

async function statusOf(db: Database, rows: readonly RunRow[]): Promise<RunStatus[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ run }) => run);
  const totals = await db
    .select({
      run: steps.run,
      tokens: sql`coalesce(sum(${steps.generatedTokens}), 0)`.mapWith(Number),
      last: sql`max(${steps.step}) filter (where ${steps.state} in ('committed', 'skipped'))`.mapWith(
        Number,
      ),
    })
    .from(steps)
    .where(inArray(steps.run, ids))
    .groupBy(steps.run);
  const evaluated = await db
    .select()
    .from(evaluations)
    .where(inArray(evaluations.run, ids))
    .orderBy(asc(evaluations.step), asc(evaluations.evaluatedAt), asc(evaluations.split));
  const lastSteps = await db
    .select({ step: steps, curriculum: curriculumVersions })
    .from(steps)
    .innerJoin(
      curriculumVersions,
      and(eq(curriculumVersions.run, steps.run), eq(curriculumVersions.version, steps.step)),
    )
    .where(
      inArray(
        sql`(${steps.run}, ${steps.step})`,
        totals.filter(({ last }) => last > 0).map(({ run, last }) => sql`(${run}, ${last})`),
      ),
    );
  return rows.map((row) => {
    const last = lastSteps.find(({ step }) => step.run === row.run);
    return {
      run: row.run,
      state: row.state,
      epoch: last?.step.epoch ?? 0,
      step: last?.step.step ?? 0,
      totalSteps: row.totalSteps,
      policySha256: row.policySha256,
      policyFolder: row.policyFolder,
      generatedTokens: totals.find(({ run }) => run === row.run)?.tokens ?? 0,
      evaluations: evaluated.filter(({ run }) => run === row.run).map(toEvaluationStatus),
      lastStep: last === undefined ? null : toStepStatus(last),
      startedAt: row.startedAt.toISOString(),
      finishedAt: row.finishedAt?.toISOString() ?? null,
      reason: row.reason,
    };
  });
}

function toEvaluationStatus(row: typeof evaluations.$inferSelect): EvaluationStatus {
  const { epoch, step, split, n, exactMatch, exactMatchLow, exactMatchHigh, reward } = row;
  return {
    epoch,
    step,
    split,
    n,
    exactMatch,
    exactMatchLow,
    exactMatchHigh,
    reward,
    scores: {
      format: row.scoreFormat,
      name: row.scoreName,
      key: row.scoreKey,
      value: row.scoreValue,
    },
    seconds: row.evaluationSeconds,
  };
}

function toStepStatus({
  step,
  curriculum,
}: {
  readonly step: typeof steps.$inferSelect;
  readonly curriculum: typeof curriculumVersions.$inferSelect;
}): StepStatus {
  const ended = step.committedAt ?? step.startedAt;
  return {
    step: step.step,
    reward: step.reward ?? 0,
    rewardStd: step.rewardStd ?? 0,
    fracRewardZeroStd: step.fracRewardZeroStd ?? 0,
    groups: step.groups,
    keptGroups: step.keptGroups ?? 0,
    mastery: {
      format: curriculum.masteryFormat,
      name: curriculum.masteryName,
      key: curriculum.masteryKey,
      value: curriculum.masteryValue,
    },
    weights: {
      format: curriculum.weightFormat,
      name: curriculum.weightName,
      key: curriculum.weightKey,
      value: curriculum.weightValue,
    },
    generatedTokens: step.generatedTokens ?? 0,
    loss: step.loss,
    rolloutSeconds: step.rolloutSeconds ?? 0,
    gradientSeconds: step.gradientSeconds ?? 0,
    wallSeconds: (ended.getTime() - step.startedAt.getTime()) / 1000,
  };
}
