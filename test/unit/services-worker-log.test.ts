import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DrizzleQueryError } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openWorkerLog, temporalLogger } from '../../services/temporal/worker-log.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-log-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

it('tells what went wrong with a query and where, without its parameters', async () => {
  const file = join(folder, 'worker.log');
  const log = openWorkerLog({ file });
  const cause = new Error('canceling statement');
  const error = new DrizzleQueryError('select $1', ['a whole\nprompt'], cause);
  log.warn({ err: error }, 'could not read the metrics of runs');
  temporalLogger(log).warn('Activity failed', { error, activityId: '7' });
  const text = await readFile(file, 'utf8');
  expect(text).not.toMatch(/whole|prompt|select/);
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(lines).toHaveLength(2);
  for (const line of lines) {
    expect(line).toMatchObject({
      err: {
        type: 'Error',
        message: 'canceling statement',
        stack: expect.stringContaining('services-worker-log.test.ts'),
      },
    });
  }
  expect(lines[1]).toMatchObject({ msg: 'Activity failed', activityId: '7' });
});
