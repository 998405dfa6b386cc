import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWorkerProcess, workerCommand } from '../../cli/worker-process.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-worker-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function appears(path: string): Promise<string> {
  for (let waited = 0; waited < 15_000; waited += 20) {
    if (existsSync(path)) return readFile(path, 'utf8');
    await sleep(20);
  }
  throw new Error(`${path} did not appear`);
}

/** A worker's stand-in: a line of JavaScript. */
function start(script: string, onRestart: (message: string) => void = () => undefined) {
  return startWorkerProcess({
    home: folder,
    logs: folder,
    onRestart,
    command: ['-e', script],
    backoffMilliseconds: 1,
  });
}

it('hands the place of the metrics on to the worker', () => {
  expect(workerCommand({ home: folder, metrics: '127.0.0.1:9464' }).slice(1)).toEqual([
    'worker',
    '--home',
    folder,
    '--metrics',
    '127.0.0.1:9464',
  ]);
  expect(workerCommand({ home: folder })).not.toContain('--metrics');
});

describe('startWorkerProcess', () => {
  it('starts a dying worker again, five times, and says so', async () => {
    const told: string[] = [];
    const worker = start('console.error("worker was here"); process.exit(3)', (message) =>
      told.push(message),
    );
    expect(await worker.lost).toEqual({
      reason: expect.stringMatching(/^the worker ended with code 3; see .*worker\.log$/),
      exitCode: 1,
    });
    expect(told).toHaveLength(5);
    expect(told[0]).toContain('1 of 5');
    const log = await readFile(worker.log, 'utf8');
    expect(log.split('\n').filter((line) => line === 'worker was here')).toHaveLength(6);
  });

  it('does not repeat what the user has to mend', async () => {
    const told: string[] = [];
    const worker = start('process.exit(2)', (message) => told.push(message));
    expect(await worker.lost).toMatchObject({
      reason: expect.stringContaining('code 2'),
      exitCode: 2,
    });
    expect(told).toEqual([]);
  });

  it('lets a worker end cleanly', async () => {
    const [ready, ended] = [join(folder, 'ready'), join(folder, 'ended')];
    const worker = start(
      `process.on("SIGTERM", () => { fs.writeFileSync(${JSON.stringify(ended)}, "cleanly"); process.exit(0); });
       fs.writeFileSync(${JSON.stringify(ready)}, ""); setInterval(() => {}, 1000);`,
    );
    await appears(ready);
    await worker.stop(10_000);
    expect(await readFile(ended, 'utf8')).toBe('cleanly');
    expect(await worker.lost).toMatchObject({ reason: 'stopped' });
  });

  it('ends a worker that does not listen', async () => {
    const ready = join(folder, 'stubborn');
    const worker = start(
      `process.on("SIGTERM", () => {}); fs.writeFileSync(${JSON.stringify(ready)}, String(process.pid)); setInterval(() => {}, 1000);`,
    );
    const pid = Number(await appears(ready));
    await worker.stop(100);
    expect(() => process.kill(pid, 0)).toThrow();
  });

  it('tells the worker when its parent is gone, however it went', async () => {
    const [ready, gone] = [join(folder, 'child'), join(folder, 'orphaned')];
    const script = `process.on("disconnect", () => { fs.writeFileSync(${JSON.stringify(gone)}, ""); process.exit(0); });
      fs.writeFileSync(${JSON.stringify(ready)}, ""); setInterval(() => {}, 1000);`;
    const module = new URL('../../cli/worker-process.ts', import.meta.url).href;
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const parent = spawn(process.execPath, [
      '--import',
      tsx,
      '--input-type=module',
      '-e',
      `import { startWorkerProcess } from ${JSON.stringify(module)};
       startWorkerProcess(${JSON.stringify({ home: folder, logs: folder, command: ['-e', script] })});`,
    ]);
    await appears(ready);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await appears(gone);
  });
});
