import type { LightActivities } from '../contracts/activities.ts';
import { committedStep } from '../db/checkpoints.ts';
import { recordEvent } from '../db/events.ts';
import { findRun, setRunState } from '../db/runs.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** Records that a run failed, stopped, waits or goes on. A run that never came to be, or has completed, stays as it is. */
export async function recordOutcome(
  { db }: Pick<ActivityDependencies, 'db'>,
  { run, state, reason }: Parameters<LightActivities['recordOutcome']>[0],
): Promise<void> {
  await db.transaction(async (tx) => {
    const row = await findRun(tx, run);
    if (row === null || row.state === 'completed') return;
    const step = await committedStep(tx, run);
    await setRunState(tx, run, state, reason === '' ? null : reason);
    await recordEvent(tx, run, {
      event: `${state}/${step}`,
      kind: state,
      step,
      message: reason === '' ? `${state} after step ${step}` : reason,
    });
  });
}
