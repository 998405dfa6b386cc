import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withClient } from '../../services/postgres/connection.ts';
import { inTheMiddleOf, retriedActivities } from './activity-history.ts';
import { createFaultHome, type FaultHome } from './fault-home.ts';
import { differences, type Outcome } from './outcome.ts';
import { SHORT_CONFIG } from './run-configs.ts';

const MINUTES = 60_000;

let home: FaultHome;
/** One worker computes each gradient step as a whole. */
let calm: Outcome;
beforeAll(async () => {
  home = await createFaultHome('gradient-shards', {
    ...SHORT_CONFIG,
    train_mode: 'lora',
    // About a group each.
    micro_batch_tokens: 256,
  });
  calm = await home.calm();
}, 5 * MINUTES);
afterAll(async () => home.remove(), MINUTES);

describe('a gradient step that two workers share', { timeout: 5 * MINUTES }, () => {
  it('is the same to the byte, also when one of them dies in the middle of its part', async () => {
    const run = 'shared';
    const workers = [home.startWorker(), home.startWorker()];
    const epoch = await home.start(run, { gradient_shards: 3 });
    await inTheMiddleOf(home.toolsample, epoch, 'gradientShard', workers[0]?.pid);
    await workers[0]?.kill();
    expect((await home.end(run)).state).toBe('completed');
    await workers[1]?.terminate();
    expect(await retriedActivities(home.toolsample, epoch)).toContain('gradientShard');
    // Its settings are others.
    const found = differences(calm, await home.outcome(run));
    expect(found.filter((line) => !line.startsWith('runs: '))).toEqual([]);
    const { rows } = await withClient(home.databaseUrl, async (client) =>
      client.query('select * from gradient_shards'),
    );
    expect(rows).toEqual([]);
  });
});
