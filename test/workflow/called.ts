import { expect } from 'vitest';
import type { RecordedCall } from './stand-in-activities.ts';

/** Waits until as many calls of the activity were made. */
export async function called(
  calls: readonly RecordedCall[],
  activity: string,
  times = 1,
): Promise<void> {
  await expect
    .poll(() => calls.filter((call) => call.activity === activity).length, { timeout: 30_000 })
    .toBeGreaterThanOrEqual(times);
}
