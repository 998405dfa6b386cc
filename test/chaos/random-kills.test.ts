import { beforeAll, describe, expect, it } from 'vitest';
import { chaosRun, undisturbedRun, type ChaosReport } from './chaos-run.ts';
import { CHAOS_CONFIG } from './run-configs.ts';

const MINUTES = 60_000;
const KILLS = 12;
/** `npm run chaos -- --seed N` takes any other. */
const SEED = 17;

let report: ChaosReport;
beforeAll(async () => {
  const expected = await undisturbedRun(CHAOS_CONFIG);
  report = await chaosRun(CHAOS_CONFIG, expected, { seed: SEED, kills: KILLS });
}, 15 * MINUTES);

describe.runIf(process.platform === 'linux')('a run of which a dozen processes were killed', () => {
  it('was hit: worker, database, Temporal server and command', () => {
    const hit = new Set(report.costs.flatMap(({ targets }) => targets));
    expect([...hit].sort()).toEqual(['cli', 'postgres', 'temporal', 'worker']);
    expect(report.kills).toBe(KILLS);
    expect(report.starts).toBeGreaterThan(1);
  });

  it('ends as the undisturbed one, to the byte', () => {
    expect(report.differences).toEqual([]);
  });
});
