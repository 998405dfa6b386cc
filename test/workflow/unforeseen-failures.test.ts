import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { failingClearly } from '../../activities/failure.ts';
import { whileBeating } from '../../activities/heartbeat.ts';
import { createHarness, type Harness } from './harness.ts';
import type { AnyActivities } from './stand-in-activities.ts';

const MINUTE = 60_000;
const PLAN = { groups: 4, shards: 2, active: true };

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(async () => {
  await harness.server.stop();
});

/** A first step whose batch is selected by such attempts; they fail and beat as the real ones do. */
function selecting(
  attempts: readonly (() => Promise<typeof PLAN>)[],
): Partial<AnyActivities> & { tried: number } {
  const selection = {
    tried: 0,
    selectBatch: async ({ step }: { readonly step: number }) => {
      const { attempt } = Context.current().info;
      if (step > 1) return PLAN;
      selection.tried = attempt;
      const work = attempts[attempt - 1] ?? (async () => PLAN);
      // What a worker that died does: nothing more is heard of it.
      return work === silent ? work() : failingClearly(() => whileBeating(work));
    },
  };
  return selection;
}

const unforeseen = async (): Promise<never> => {
  throw new TypeError('x is not a function');
};
/** Beats more than once before. */
const unforeseenLater = async (): Promise<never> => {
  await sleep(4500);
  return unforeseen();
};
const serviceAway = async (): Promise<never> => {
  throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
};
/** Until the server, which hears nothing for 15 s, has given up on it. */
const silent = async (): Promise<never> => {
  await sleep(17_000);
  throw new Error('given up');
};

it(
  'does not count attempts that a server ended among the unforeseen',
  async () => {
    const overrides = selecting([serviceAway, serviceAway, unforeseen, unforeseen]);
    const { result } = await harness.runToEnd({ overrides });
    expect(result.status).toBe('fulfilled');
    expect(overrides.tried).toBe(5);
  },
  2 * MINUTE,
);

it(
  'counts the unforeseen over all attempts, whatever ended those between',
  async () => {
    const overrides = selecting([unforeseen, silent, unforeseenLater, unforeseen, unforeseen]);
    const { result } = await harness.runToEnd({ overrides });
    expect(result.status).toBe('rejected');
    expect(overrides.tried).toBe(4);
  },
  2 * MINUTE,
);
