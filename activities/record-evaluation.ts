import type { LightActivities } from '../contracts/activities.ts';
import { setSuiteState } from '../db/suite-evaluations.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** Records that an evaluation on a suite failed or stopped. */
export async function recordEvaluation(
  { db }: Pick<ActivityDependencies, 'db'>,
  { evaluation, state, reason }: Parameters<LightActivities['recordEvaluation']>[0],
): Promise<void> {
  await setSuiteState(db, evaluation, state, reason === '' ? null : reason);
}
