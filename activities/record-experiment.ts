import type { LightActivities } from '../contracts/activities.ts';
import { endExperiment } from '../db/experiments.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** Records that an experiment completed, failed or stopped. */
export async function recordExperiment(
  { db }: Pick<ActivityDependencies, 'db'>,
  { experiment, state, reason }: Parameters<LightActivities['recordExperiment']>[0],
): Promise<void> {
  await endExperiment(db, experiment, state, reason === '' ? null : reason);
}
