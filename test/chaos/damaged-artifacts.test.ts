import { chmod, copyFile, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifactPlace } from '../../services/artifacts/folder-places.ts';
import { withClient } from '../../services/postgres/connection.ts';
import { inTheMiddleOf } from './activity-history.ts';
import { createFaultHome, type FaultHome } from './fault-home.ts';
import { differences, type Outcome } from './outcome.ts';

const MINUTES = 60_000;

let home: FaultHome;
let calm: Outcome;
beforeAll(async () => {
  home = await createFaultHome('damaged');
  calm = await home.calm();
}, 5 * MINUTES);
afterAll(async () => home.remove(), MINUTES);

async function query(text: string, run: string): Promise<string[]> {
  const { rows } = await withClient(home.databaseUrl, async (client) =>
    client.query<{ value: string }>(text, [run]),
  );
  return rows.map(({ value }) => value);
}

function artifactPath(sha256: string | undefined): string {
  return artifactPlace(home.toolsample.services.folder.artifacts, sha256 ?? '');
}

/** Turns one bit in the middle of a file, as an old disk does. */
async function flipBit(path: string): Promise<void> {
  await chmod(path, 0o600);
  const file = await open(path, 'r+');
  try {
    const middle = Math.floor((await file.stat()).size / 2);
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, middle);
    buffer[0] = (buffer[0] ?? 0) ^ 0b1000;
    await file.write(buffer, 0, 1, middle);
  } finally {
    await file.close();
    await chmod(path, 0o400);
  }
}

/** Without what tells of the fault itself. */
function withoutEvents(outcome: Outcome, kinds: readonly string[]): Outcome {
  const events = outcome.rows.get('events') ?? [];
  const kept = events.filter((row) => !kinds.some((kind) => row.includes(`"${kind}"`)));
  return { ...outcome, rows: new Map([...outcome.rows, ['events', kept]]) };
}

describe('a bit that flips', { timeout: 5 * MINUTES }, () => {
  it('in the tokens of a rollout: they are sampled again, and come out the same', async () => {
    const run = 'flipped-rollout';
    const worker = home.startWorker();
    const epoch = await home.start(run);
    await inTheMiddleOf(home.toolsample, epoch, 'gradientStep');
    await worker.kill();
    const shards = await query(
      'select artifact_sha256 as value from rollout_shards where run = $1 order by shard',
      run,
    );
    expect(shards.length).toBeGreaterThan(1);
    await flipBit(artifactPath(shards[0]));
    await rename(artifactPath(shards[1]), `${artifactPath(shards[1])}.lost`);

    const next = home.startWorker();
    expect((await home.end(run)).state).toBe('completed');
    await next.terminate();
    const told = await query(
      "select message as value from events where run = $1 and kind = 'sampled-again' order by event",
      run,
    );
    expect(told).toEqual([
      expect.stringContaining('was damaged; sampled again'),
      expect.stringContaining('was missing; sampled again'),
    ]);
    const found = withoutEvents(await home.outcome(run), ['sampled-again']);
    expect(differences(calm, found)).toEqual([]);
  });

  it('in a checkpoint: the run fails with one line, and goes on once the file is whole', async () => {
    const run = 'flipped-checkpoint';
    const worker = home.startWorker();
    const epoch = await home.start(run);
    await home.committed(run, 1);
    await inTheMiddleOf(home.toolsample, epoch, 'rollout');
    await worker.kill();
    const [weights] = await query(
      'select weights_sha256 as value from checkpoints where run = $1 and step = 1',
      run,
    );
    const path = artifactPath(weights);
    const copy = join(home.path, 'copy');
    await copyFile(path, copy);
    await flipBit(path);

    const next = home.startWorker();
    const failed = await home.end(run);
    expect(failed.state).toBe('failed');
    expect(failed.reason).toContain('the content does not match its hash');
    expect(failed.step).toBe(1);

    await rename(copy, path);
    await home.toolsample.resumeRun(run);
    expect((await home.end(run)).state).toBe('completed');
    await next.terminate();
    const found = withoutEvents(await home.outcome(run), ['failed', 'resumed']);
    expect(differences(calm, found)).toEqual([]);
  });
});
