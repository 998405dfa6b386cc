import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inTheMiddleOf } from './activity-history.ts';
import { createFaultHome, type FaultHome } from './fault-home.ts';
import { differences, type Outcome } from './outcome.ts';

const MINUTES = 60_000;

/** Of the distribution's package libfaketime, by which a process has a clock of its own; undefined without it. */
const FAKETIME = ['/usr/lib', '/usr/local/lib']
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => ['.', ...readdirSync(folder)].map((name) => join(folder, name, 'faketime')))
  .map((folder) => join(folder, 'libfaketime.so.1'))
  .find((path) => existsSync(path));

/** When the worker's log ends, in milliseconds since 1970. */
async function lastWord(home: FaultHome): Promise<number> {
  const log = await readFile(join(home.path, 'worker.log'), 'utf8');
  const line: unknown = JSON.parse(log.trim().split('\n').at(-1) ?? '');
  return (line as { readonly time: number }).time;
}

describe.skipIf(FAKETIME === undefined)(
  'a clock that is set back by an hour (needs libfaketime)',
  { timeout: 5 * MINUTES },
  () => {
    let home: FaultHome;
    let calm: Outcome;
    beforeAll(async () => {
      home = await createFaultHome('clock');
      calm = await home.calm();
    }, 5 * MINUTES);
    afterAll(async () => home.remove(), MINUTES);

    it('in the middle of a gradient step changes nothing', async () => {
      const run = 'clock-set-back';
      const clock = join(home.path, 'clock');
      await writeFile(clock, '+0');
      const worker = home.startWorker({
        LD_PRELOAD: FAKETIME ?? '',
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        // As in reality: what measures durations goes on.
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      });
      const epoch = await home.start(run);
      await inTheMiddleOf(home.toolsample, epoch, 'gradientStep');
      await writeFile(clock, '-1h');
      const ended = await home.end(run);
      expect(ended.state).toBe('completed');
      // By the database's clock, which was not set back.
      expect(Date.parse(ended.finishedAt ?? '')).toBeGreaterThan(Date.parse(ended.startedAt));
      expect(await worker.terminate()).toBe(0);
      // By the worker's own, it ended long ago.
      expect(await lastWord(home)).toBeLessThan(Date.now() - 50 * MINUTES);
      expect(differences(calm, await home.outcome(run))).toEqual([]);
    });
  },
);
