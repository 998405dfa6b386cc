import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunConfigInput } from '../../contracts/config.ts';
import { createServedHome, OWN_ENVIRONMENT, type ServedHome } from '../chaos/toolsample-home.ts';
import { PROGRAM } from '../program.ts';

const MINUTE = 60_000;
const STEPS = 4;
const SMALL: RunConfigInput = {
  max_steps: STEPS,
  corpus_size: 16,
  eval_size: 8,
  train_batch_size: 4,
  num_generations: 4,
};

let home: ServedHome;
beforeAll(async () => {
  home = await createServedHome('watch');
}, 2 * MINUTE);
afterAll(async () => home.remove(), MINUTE);

interface Watcher {
  /** What it has printed so far. */
  readonly text: () => string;
  readonly interrupt: () => void;
  readonly ended: Promise<number | null>;
}

function startWatching(run: string, ...flags: readonly string[]): Watcher {
  const child = spawn(process.execPath, [PROGRAM, 'watch', run, '--home', home.path, ...flags], {
    env: OWN_ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => {
      text += part.toString();
    });
  return {
    text: () => text,
    interrupt: () => child.kill('SIGINT'),
    ended: once(child, 'close').then(() => child.exitCode),
  };
}

it(
  'shows a run of another process until it ends; whoever leaves early changes nothing',
  async () => {
    const { run } = await home.toolsample.startRun({ run: 'watched', config: SMALL });
    const leaving = startWatching('latest');
    const staying = startWatching('watch');
    const quiet = startWatching('watched', '--json');
    // No worker has taken the run up yet.
    for (const { text } of [leaving, staying])
      await expect.poll(text, { timeout: MINUTE }).toContain('waiting for a worker');
    home.startWorker();
    await expect.poll(leaving.text, { timeout: MINUTE }).toMatch(/step 1\/4/);
    leaving.interrupt();
    expect(await leaving.ended).toBe(0);
    expect(leaving.text()).toContain('the run goes on');

    expect(await staying.ended).toBe(0);
    const told = [...staying.text().matchAll(/^step (\d)\/4 /gm)].map(([, step]) => Number(step));
    expect(told).toEqual([1, 2, 3, 4]);
    expect(staying.text()).toMatch(/^completed; .*status watched/m);
    expect(await quiet.ended).toBe(0);
    const status = await home.toolsample.status(run);
    expect(status).toMatchObject({ state: 'completed', step: STEPS, requests: [] });
    expect(JSON.parse(quiet.text())).toEqual(status);

    // A run that has ended already ends the watching at once.
    const late = startWatching('latest');
    expect(await late.ended).toBe(0);
    expect(late.text()).toContain('after step 4');
    const nobody = startWatching('other');
    expect(await nobody.ended).toBe(2);
    expect(nobody.text()).toContain('there is no run "other"');
  },
  5 * MINUTE,
);
