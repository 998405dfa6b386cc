import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inTheMiddleOf, retriedActivities } from './activity-history.ts';
import { createFaultHome, type FaultHome } from './fault-home.ts';
import { differences, type Outcome } from './outcome.ts';

const MINUTES = 60_000;

let home: FaultHome;
let calm: Outcome;
beforeAll(async () => {
  home = await createFaultHome('workers');
  calm = await home.calm();
}, 5 * MINUTES);
afterAll(async () => home.remove(), MINUTES);

describe(
  'a worker that stands still for longer than its heartbeats may',
  { timeout: 5 * MINUTES },
  () => {
    it.each(['gradientStep'])('in %s changes nothing when it goes on', async (activity) => {
      const run = `frozen-in-${activity}`;
      const first = home.startWorker();
      const epoch = await home.start(run);
      await inTheMiddleOf(home.toolsample, epoch, activity);
      first.freeze();
      const second = home.startWorker();
      // Until the other one has done its work, and the step.
      await home.committed(run, 1);
      // It wakes in the middle of what it did, believing that it is its own.
      first.thaw();
      expect((await home.end(run)).state).toBe('completed');
      expect(await retriedActivities(home.toolsample, epoch)).toContain(activity);
      expect(await first.terminate()).toBe(0);
      await second.terminate();
      expect(differences(calm, await home.outcome(run))).toEqual([]);
    });
  },
);

describe('two workers on the same queues', { timeout: 5 * MINUTES }, () => {
  it('share a run, and one of them may die', async () => {
    const workers = [home.startWorker(), home.startWorker()];
    const epoch = await home.start('two-workers');
    await inTheMiddleOf(home.toolsample, epoch, 'rollout');
    await workers[0]?.kill();
    expect((await home.end('two-workers')).state).toBe('completed');
    await workers[1]?.terminate();
    expect(differences(calm, await home.outcome('two-workers'))).toEqual([]);
  });
});
