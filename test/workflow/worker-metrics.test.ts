import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { EvaluationStatus, StepStatus } from '../../contracts/run-status.ts';
import { freePort } from '../../services/ports.ts';
import { createServedHome, OWN_ENVIRONMENT, type ServedHome } from '../chaos/toolsample-home.ts';
import { PROGRAM } from '../program.ts';

const MINUTE = 60_000;

let home: ServedHome;
beforeAll(async () => {
  home = await createServedHome('metrics');
}, 2 * MINUTE);
afterAll(async () => home.remove(), MINUTE);

it(
  'a worker serves the metrics of the SDK and of its runs to Prometheus',
  async () => {
    const address = `127.0.0.1:${await freePort(home.path, new Set())}`;
    const args = [PROGRAM, 'worker', '--home', home.path, '--metrics', address];
    const worker = spawn(process.execPath, args, { env: OWN_ENVIRONMENT, stdio: 'ignore' });
    const ended = once(worker, 'exit');
    try {
      const { run } = await home.toolsample.startRun({
        run: 'measured',
        config: {
          max_steps: 2,
          corpus_size: 16,
          eval_size: 8,
          train_batch_size: 4,
          num_generations: 4,
        },
      });
      const { lastStep, evaluations } = await home.toolsample.waitFor(run);
      const scrape = async (): Promise<string> => (await fetch(`http://${address}/metrics`)).text();
      // Also of a run that ended before it was told.
      await vi.waitFor(async () => expectLast(await scrape(), lastStep, evaluations), {
        timeout: MINUTE,
        interval: 500,
      });
      const text = await scrape();
      expect(text).toContain('# TYPE toolsample_reward_plus_3 gauge');
      // The SDK's own: how long activities took, by type.
      expect(text).toMatch(
        /temporal_activity_execution_latency_seconds_count\{[^}]*activity_type="rollout"[^}]*\} [1-9]/,
      );

      const second = await new Promise<{ code: unknown; text: string }>((resolve) => {
        execFile(process.execPath, args, { env: OWN_ENVIRONMENT }, (error, _, text) =>
          resolve({ code: error?.code, text }),
        );
      });
      expect(second.code).toBe(2);
      expect(second.text).toMatch(/error: .*cannot serve metrics on 127\.0\.0\.1:\d+: .*in use/);
    } finally {
      worker.kill('SIGTERM');
      await ended;
    }
    expect(worker.exitCode).toBe(0);
  },
  4 * MINUTE,
);

function expectLast(
  text: string,
  lastStep: StepStatus | null,
  evaluations: readonly EvaluationStatus[],
): void {
  const value = (sample: string): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${sample} `))
        ?.split(' ')[1],
    );
  if (lastStep === null) throw new Error('the run has made no step');
  expect(value('toolsample_step{run="measured"}')).toBe(2);
  expect(value('toolsample_reward_plus_3{run="measured"}') - 3).toBeCloseTo(lastStep.reward, 9);
  expect(value('toolsample_mastery{run="measured",subtask="name"}')).toBeCloseTo(
    lastStep.mastery.name ?? Number.NaN,
    9,
  );
  expect(value('toolsample_exact_match{run="measured",split="heldout"}')).toBeCloseTo(
    evaluations.findLast(({ split }) => split === 'heldout')?.exactMatch ?? Number.NaN,
    9,
  );
}
