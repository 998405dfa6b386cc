import { and, asc, eq, gt, inArray } from 'drizzle-orm';
import type { StepStatus } from '../contracts/run-status.ts';
import type { Database } from './connection.ts';
import { curriculumVersions } from './schema/learning.ts';
import { steps } from './schema/steps.ts';

/** A step and the curriculum that it left behind. */
interface CommittedStep {
  readonly step: typeof steps.$inferSelect;
  readonly curriculum: typeof curriculumVersions.$inferSelect;
}

/** The committed steps of a run in order, those after step `after`. */
export async function stepStatus(db: Database, run: string, after = 0): Promise<StepStatus[]> {
  return (await committedSteps(db, run, after)).map(toStepStatus);
}

/** The rows of the committed steps of a run in order, those after step `after`. */
export async function committedSteps(
  db: Database,
  run: string,
  after: number,
): Promise<CommittedStep[]> {
  return db
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
}

/** What `status` tells of a step. */
export function toStepStatus({ step, curriculum }: CommittedStep): StepStatus {
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
