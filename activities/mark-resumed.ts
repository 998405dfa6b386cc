import type { Database } from '../db/connection.ts';
import { lastTurn, recordTurn, workDone, type WorkDone } from '../db/life-events.ts';
import { hasStarted, lockRun, setRunResumed } from '../db/runs.ts';

/** Records that a prepared run goes on; a completed one stays so. */
export async function markResumed(db: Database, run: string): Promise<void> {
  await db.transaction(async (tx) => {
    const row = await lockRun(tx, run);
    if (row.state === 'completed') return;
    const done = await workDone(tx, run);
    // One that counts as running was lost; or this is a retry: of the very first attempt, or of one that has recorded it already.
    const interrupted =
      row.state !== 'running' ||
      ((await hasStarted(tx, row)) && !(await toldBefore(tx, run, done)));
    if (interrupted) {
      const { step, pieces } = done;
      const message = `resumed after step ${step}`;
      await recordTurn(tx, run, { kind: 'resumed', step, message, details: { pieces } });
    }
    await setRunResumed(tx, run);
  });
}

/** Whether the run went on from this very piece of work when it last took a turn: nothing has been done since that could be lost. */
async function toldBefore(tx: Database, run: string, { step, pieces }: WorkDone): Promise<boolean> {
  const last = await lastTurn(tx, run);
  if (last?.kind !== 'resumed' || last.step !== step) return false;
  // Older versions did not tell the pieces.
  return (last.details?.['pieces'] ?? pieces) === pieces;
}
