import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openArtifactStore } from '../../services/artifact-store.ts';
import { CREDENTIALS, startObjectServer } from '../unit/support/object-store.ts';
import { inTheMiddleOf, retriedActivities } from './activity-history.ts';
import { createFaultHome, type FaultHome } from './fault-home.ts';
import { differences, outcomeOf, type Outcome } from './outcome.ts';
import { SHORT_CONFIG } from './run-configs.ts';

const MINUTES = 60_000;

let home: FaultHome;
let calm: Outcome;
beforeAll(async () => {
  home = await createFaultHome('workers', { ...SHORT_CONFIG, eval_size: 72 });
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

describe('three workers that share nothing but the servers', { timeout: 5 * MINUTES }, () => {
  it('come to the same bytes with artifacts in a bucket, and one of them may die', async () => {
    const objects = await startObjectServer();
    try {
      const { temporal, databaseUrl } = home.toolsample.services;
      const environment = {
        ...CREDENTIALS,
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: temporal.address,
        TOOLSAMPLE_TASK_QUEUE: temporal.taskQueue,
        TOOLSAMPLE_ARTIFACTS: objects.location('cluster'),
      };
      const machines = [0, 1, 2].map((i) => join(home.path, `machine-${i}`));
      const start = (i: number, queue: string) =>
        home.startWorker(environment, '--home', machines[i] ?? '', '--task-queue', queue);
      // The database's artifacts are still where the other tests' workers left them.
      expect(await start(0, 'all').ended()).toBe(2);
      expect(await readFile(join(home.path, 'worker.log'), 'utf8')).toMatch(
        /error: s3:\/\/artifacts\/cluster.*: the artifacts of this database's runs are not here/,
      );
      await copyArtifacts(environment);

      const [first, second, third] = [start(0, 'all'), start(1, 'gpu'), start(2, 'gpu')];
      const run = 'three-machines';
      const epoch = await home.start(run);
      await inTheMiddleOf(home.toolsample, epoch, 'rollout', second.pid);
      await second.kill();
      expect((await home.end(run)).state).toBe('completed');
      expect(await retriedActivities(home.toolsample, epoch)).toContain('rollout');
      await first.terminate();
      await third.terminate();
      const exporter = machines.find((each) => existsSync(join(each, 'runs', run)));
      const found = await outcomeOf(databaseUrl, exporter ?? '', run);
      expect(differences(calm, found)).toEqual([]);

      // Somebody who has no artifacts writes the policy.
      for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
      const folder = join(home.path, 'exported');
      const exported = await home.toolsample.exportPolicy(run, { folder });
      expect(exported.policySha256).toBe(calm.weights);
    } finally {
      vi.unstubAllEnvs();
      await objects.stop();
    }
  });
});

/** Moves what the data folder holds to where the variables say, as `aws s3 sync` would. */
async function copyArtifacts(environment: Readonly<Record<string, string>>): Promise<void> {
  const { folder } = home.toolsample.services;
  const from = await openArtifactStore(folder);
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const to = await openArtifactStore({ ...folder, cache: join(home.path, 'copies') });
  for await (const { sha256, bytes } of from.stored())
    await to.put(await from.get({ sha256, bytes }));
  vi.unstubAllEnvs();
}
