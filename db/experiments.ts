import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type {
  ExperimentPlan,
  ExperimentRunResult,
  ExperimentOutcome,
  ExperimentStatus,
} from '../contracts/experiment.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { Database } from './connection.ts';
import { experimentRuns, experiments } from './schema/experiments.ts';
import { runs } from './schema/runs.ts';
import { steps } from './schema/steps.ts';
import { learningCurve } from './schema/views.ts';

export type ExperimentRow = typeof experiments.$inferSelect;

/** An experiment, or null when there is none of that id. */
export async function findExperiment(
  db: Database,
  experiment: string,
): Promise<ExperimentRow | null> {
  const [row] = await db.select().from(experiments).where(eq(experiments.experiment, experiment));
  return row ?? null;
}

/** Stores an experiment with its runs, in the order in which they begin. */
export async function insertExperiment(
  tx: Database,
  experiment: string,
  plan: ExperimentPlan,
): Promise<void> {
  const { asked, baseline } = plan;
  const { protocol, tokens } = asked;
  await tx
    .insert(experiments)
    .values({ experiment, state: 'running', protocol, tokens, baseline, asked });
  await insertRuns(tx, experiment, plan);
}

/** Gives an experiment the runs of a plan that has all of its own, and more. */
export async function growExperiment(
  tx: Database,
  experiment: string,
  plan: ExperimentPlan,
): Promise<void> {
  const { asked, baseline } = plan;
  await tx
    .update(experiments)
    .set({ asked, baseline })
    .where(eq(experiments.experiment, experiment));
  await tx.delete(experimentRuns).where(eq(experimentRuns.experiment, experiment));
  await insertRuns(tx, experiment, plan);
}

async function insertRuns(
  tx: Database,
  experiment: string,
  { arms, runs: planned }: ExperimentPlan,
): Promise<void> {
  const settings = new Map(arms.map((arm) => [arm.arm, arm.settings]));
  await tx.insert(experimentRuns).values(
    planned.map((each, ordinal) => ({
      experiment,
      ordinal,
      ...each,
      settings: settings.get(each.arm) ?? {},
    })),
  );
}

/** An experiment that goes on. */
export async function setExperimentRunning(tx: Database, experiment: string): Promise<void> {
  await tx
    .update(experiments)
    .set({ state: 'running', reason: null, finishedAt: null })
    .where(eq(experiments.experiment, experiment));
}

/**
 * Records how an experiment that is under way ended. Nothing happens where it never came to be, or had ended before: who was refused what was
 * asked under its name has not changed how it ended.
 */
export async function endExperiment(
  db: Database,
  experiment: string,
  state: ExperimentOutcome,
  reason: string | null,
): Promise<void> {
  await db
    .update(experiments)
    .set({ state, reason, finishedAt: sql`now()` })
    .where(and(eq(experiments.experiment, experiment), eq(experiments.state, 'running')));
}

/** @throws ToolsampleError `not-found` */
export async function experimentStatus(
  db: Database,
  experiment: string,
): Promise<ExperimentStatus> {
  const row = await findExperiment(db, experiment);
  if (row === null) {
    throw new ToolsampleError('not-found', `there is no experiment "${experiment}"`, {
      hint: 'start one with `toolsample compare`',
    });
  }
  const tokens = db
    .select({
      run: steps.run,
      tokens: sql<number>`sum(${steps.generatedTokens})`.mapWith(Number).as('tokens'),
    })
    .from(steps)
    .innerJoin(experimentRuns, eq(experimentRuns.run, steps.run))
    .where(eq(experimentRuns.experiment, experiment))
    .groupBy(steps.run)
    .as('generated');
  const planned = await db
    .select({
      run: experimentRuns.run,
      arm: experimentRuns.arm,
      seed: experimentRuns.seed,
      state: runs.state,
      generatedTokens: tokens.tokens,
    })
    .from(experimentRuns)
    .leftJoin(runs, eq(runs.run, experimentRuns.run))
    .leftJoin(tokens, eq(tokens.run, experimentRuns.run))
    .where(eq(experimentRuns.experiment, experiment))
    .orderBy(asc(experimentRuns.ordinal));
  const { state, reason, asked, baseline } = row;
  return {
    experiment,
    state,
    reason,
    asked,
    baseline,
    runs: planned.map((run) => ({ ...run, generatedTokens: run.generatedTokens ?? 0 })),
  };
}

/** What the completed runs of an experiment came to, in the order in which they began. */
export async function experimentResults(
  db: Database,
  experiment: string,
): Promise<ExperimentRunResult[]> {
  const planned = (await experimentStatus(db, experiment)).runs.filter(
    ({ state }) => state === 'completed',
  );
  if (planned.length === 0) return [];
  const ids = planned.map(({ run }) => run);
  const made = await db
    .select({
      run: steps.run,
      steps: sql<number>`count(*)`.mapWith(Number),
      zeroVariance:
        sql<number>`sum(${steps.fracRewardZeroStd} * ${steps.groups}) / sum(${steps.groups})`.mapWith(
          Number,
        ),
    })
    .from(steps)
    .where(inArray(steps.run, ids))
    .groupBy(steps.run);
  const points = await db
    .select()
    .from(learningCurve)
    .where(inArray(learningCurve.run, ids))
    .orderBy(asc(learningCurve.run), asc(learningCurve.step));
  return planned.map(({ run, arm, seed, generatedTokens }) => {
    const own = made.find((each) => each.run === run);
    return {
      run,
      arm,
      seed,
      generatedTokens,
      steps: own?.steps ?? 0,
      zeroVariance: own?.zeroVariance ?? 0,
      curve: points.flatMap((point) =>
        point.run !== run || point.heldoutReward === null || point.heldoutExactMatch === null
          ? []
          : [
              {
                tokens: point.generatedTokens,
                reward: point.heldoutReward,
                exactMatch: point.heldoutExactMatch,
              },
            ],
      ),
    };
  });
}
