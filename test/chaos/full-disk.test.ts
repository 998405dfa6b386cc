import { execFileSync } from 'node:child_process';
import { cp, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { withClient } from '../../services/postgres/connection.ts';
import { ensureServices, inspectServices, stopServices } from '../../services/services.ts';
import { inTheMiddleOf, untilAttemptFailed } from './activity-history.ts';
import { createFaultHome, type FaultHome } from './fault-home.ts';
import { differences, outcomeOf, type Outcome } from './outcome.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';
import { createHome, OWN_ENVIRONMENT, type Home } from './toolsample-home.ts';

const MINUTES = 60_000;

let home: FaultHome;
let calm: Outcome;
beforeAll(async () => {
  home = await createFaultHome('full-disk');
  calm = await home.calm();
}, 5 * MINUTES);
afterAll(async () => home.remove(), MINUTES);

/** Has a data folder hold the artifacts of the test's database from now on: the mark of their store, and none of them. */
async function moveStoreMark(to: string): Promise<void> {
  const marks = await withClient(home.databaseUrl, (client) =>
    client.query<{ sha256: string }>('select mark_sha256 as sha256 from artifact_store'),
  );
  for (const { sha256 } of marks.rows) {
    const place = join('artifacts', sha256.slice(0, 2), sha256);
    await cp(join(home.path, place), join(to, place));
  }
}

describe('a disk that is full', { timeout: 5 * MINUTES }, () => {
  it('while artifacts and checkpoints are written is waited for', async (context) => {
    const small: Home = await createHome('small-disk');
    const disk = mountSmallDisk(small.path, { megabytes: 96 });
    if (disk === null) {
      context.skip('may not mount a small file system');
      return;
    }
    try {
      const { address, taskQueue } = home.toolsample.services.temporal;
      await moveStoreMark(small.path);
      const worker = small.startWorker({
        DATABASE_URL: home.databaseUrl,
        TEMPORAL_ADDRESS: address,
        TOOLSAMPLE_TASK_QUEUE: taskQueue,
      });
      const epoch = await home.start('full-artifacts');
      for (const activity of ['rollout', 'gradientStep']) {
        await inTheMiddleOf(home.toolsample, epoch, activity);
        await disk.fill();
        await untilAttemptFailed(home.toolsample, epoch, { activity, type: 'disk-full' });
        await disk.free();
      }
      expect((await home.end('full-artifacts')).state).toBe('completed');
      expect(await worker.terminate()).toBe(0);
      const found = await outcomeOf(home.databaseUrl, small.path, 'full-artifacts');
      expect(differences(calm, found)).toEqual([]);
    } finally {
      // What is under a mount point goes, the folder itself only after it.
      await small.remove().catch(() => undefined);
      disk.unmount();
      await small.remove();
    }
  });

  it('while Postgres writes its log: it ends, and nothing is lost', async (context) => {
    await stopServices(home.path);
    const { postgres } = await inspectServices({ home: home.path, env: OWN_ENVIRONMENT });
    const wal = join(postgres.folder ?? '', 'pg_wal');
    const disk = await moveToSmallDisk(wal);
    if (disk === null) {
      context.skip('may not mount a small file system');
      return;
    }
    try {
      await ensureServices({ home: home.path, env: OWN_ENVIRONMENT });
      // Not before: a worker that finds no server starts one.
      const worker = home.startWorker();
      const epoch = await home.start('full-wal');
      await inTheMiddleOf(home.toolsample, epoch, 'gradientStep');
      await disk.fill();
      await needAnotherSegment(home);
      await disk.free();
      await ensureServices({ home: home.path, env: OWN_ENVIRONMENT });
      expect((await home.end('full-wal')).state).toBe('completed');
      await worker.terminate();
      expect(differences(calm, await home.outcome('full-wal'))).toEqual([]);
    } finally {
      await stopServices(home.path);
      disk.unmount();
    }
  });
});

/** Of the cluster's log, with what it holds now. */
async function moveToSmallDisk(folder: string): Promise<SmallDisk | null> {
  const kept = `${folder}.kept`;
  copyAll(folder, kept);
  const disk = mountSmallDisk(folder, { megabytes: 80, owner: await stat(folder) });
  if (disk !== null) copyAll(kept, folder);
  return disk;
}

/** With owners, which are not us. */
function copyAll(from: string, to: string): void {
  execFileSync('cp', ['-a', '-T', from, to]);
}

/** Writes until the server wants a file that it cannot have, and is gone. */
async function needAnotherSegment(home: FaultHome): Promise<void> {
  await vi.waitUntil(
    async () => {
      await withClient(home.databaseUrl, async (client) =>
        client.query('select pg_logical_emit_message(true, $1, repeat($2, 1000000))', [
          'fill',
          'x'.repeat(10),
        ]),
      ).catch(() => undefined);
      const { postgres } = await inspectServices({ home: home.path, env: OWN_ENVIRONMENT });
      return postgres.state !== 'running';
    },
    { timeout: MINUTES, interval: 10 },
  );
  await sleep(1000);
}
