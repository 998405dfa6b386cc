import { sql } from 'drizzle-orm';
import type { LightActivities } from '../contracts/activities.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { ExperimentPlan, PreparedExperiment } from '../contracts/experiment.ts';
import { jsonSha256 } from '../db/canonical-json.ts';
import type { Database } from '../db/connection.ts';
import {
  experimentStatus,
  findExperiment,
  growExperiment,
  insertExperiment,
  setExperimentRunning,
} from '../db/experiments.ts';
import { findRuns } from '../db/runs.ts';
import { planGrowth } from '../services/experiments/growth.ts';
import { configOfRun } from '../services/experiments/plan.ts';
import type { ActivityDependencies } from './dependencies.ts';

/**
 * Spells an experiment out and stores it with its runs. One that exists goes on, with more arms or seeds where they are asked for; the
 * runs that it has cannot change, how many are under way at a time can.
 *
 * @throws ToolsampleError `config` for what is wrong with what was asked, or when the id belongs to another experiment
 */
export async function prepareExperiment(
  { db }: Pick<ActivityDependencies, 'db'>,
  { experiment, asked }: Parameters<LightActivities['prepareExperiment']>[0],
): Promise<PreparedExperiment> {
  const plan = await db.transaction(async (tx) => {
    // Two attempts at once: the second waits, and finds the experiment of the first.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${experiment}, 1))`);
    const known = await findExperiment(tx, experiment);
    const { plan: planned, grows } = planGrowth(experiment, known?.asked ?? null, asked);
    // Before anything is stored: an experiment that cannot go on stays what it was.
    await requireOwnRuns(tx, planned);
    if (known === null) {
      await insertExperiment(tx, experiment, planned);
      return planned;
    }
    if (grows) await growExperiment(tx, experiment, planned);
    if (grows || known.state !== 'completed') await setExperimentRunning(tx, experiment);
    return planned;
  });
  const { runs } = await experimentStatus(db, experiment);
  const completed = new Set(
    runs.filter(({ state }) => state === 'completed').map(({ run }) => run),
  );
  return {
    base: plan.base,
    arms: plan.arms,
    runs: plan.runs.map((run) => ({ ...run, completed: completed.has(run.run) })),
    parallel: plan.asked.parallel,
  };
}

/** A run that somebody else made under a planned id would be counted among the others. */
async function requireOwnRuns(tx: Database, plan: ExperimentPlan): Promise<void> {
  const ids = plan.runs.map(({ run }) => run);
  for (const { run, config } of await findRuns(tx, ids)) {
    if (jsonSha256(config) === jsonSha256(configOfRun(plan, run))) continue;
    throw new ToolsampleError('config', `run "${run}" exists with another configuration`, {
      hint: 'choose another name for the experiment',
    });
  }
}
