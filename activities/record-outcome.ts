import type { LightActivities } from '../contracts/activities.ts';
import { committedStep } from '../db/checkpoints.ts';
import { recordTurn } from '../db/life-events.ts';
import { setRunState } from '../db/runs.ts';
import type { ActivityDependencies } from './dependencies.ts';

/**
 * Records that a run failed, stopped, waits or goes on. A run that never came to be, or has ended, stays as it is: preparation, which
 * refuses whoever starts it with another configuration, has not set it running. Only one whose workflow was lost, and that therefore still
 * counts as running, ends with such a refusal; resuming it goes on.
 *
 * An attempt that was frozen before its transaction, and wakes after another attempt and a resume, is not told from one of now: nothing
 * in Postgres names executions. The run goes on and completes as if nothing had been; until then it looks ended.
 */
export async function recordOutcome(
  { db }: Pick<ActivityDependencies, 'db'>,
  { run, state, reason }: Parameters<LightActivities['recordOutcome']>[0],
): Promise<void> {
  await db.transaction(async (tx) => {
    // A retry finds the state that the first attempt left.
    if (!(await setRunState(tx, run, state, reason === '' ? null : reason))) return;
    const step = await committedStep(tx, run);
    await recordTurn(tx, run, {
      kind: state,
      step,
      message: reason === '' ? `${state} after step ${step}` : reason,
    });
  });
}
