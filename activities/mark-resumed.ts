import { committedStep } from '../db/checkpoints.ts';
import type { Database } from '../db/connection.ts';
import { recordEvent } from '../db/events.ts';
import { hasStarted, setRunResumed, type RunRow } from '../db/runs.ts';

/** Records that a prepared run goes on; a completed one stays so. */
export async function markResumed(db: Database, row: RunRow): Promise<void> {
  const { run, state } = row;
  if (state === 'completed') return;
  await db.transaction(async (tx) => {
    const step = await committedStep(tx, run);
    // A retry of the very first attempt finds its own run: nothing was interrupted.
    if (state !== 'running' || (await hasStarted(tx, row))) {
      await recordEvent(tx, run, {
        event: `resumed/${step}`,
        kind: 'resumed',
        step,
        message: `resumed after step ${step}`,
      });
    }
    await setRunResumed(tx, run);
  });
}
