import { lightActivities } from './activity-options.ts';

/**
 * Records that a run waits, goes on, or has ended without completing.
 *
 * @param reason - One line; empty for `running`.
 */
export async function record(
  run: string,
  state: 'failed' | 'stopped' | 'paused' | 'running',
  reason: string,
): Promise<void> {
  await lightActivities().recordOutcome.executeWithOptions({ summary: `record: ${state}` }, [
    { run, state, reason },
  ]);
}
