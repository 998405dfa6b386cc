import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { withClient } from '../../services/postgres/connection.ts';
import { inTheMiddleOf } from './activity-history.ts';
import { createFaultHome, type FaultHome } from './fault-home.ts';
import { SHORT_CONFIG } from './run-configs.ts';

const MINUTES = 60_000;
const MIB = 1024 * 1024;
/** Enough for Node, not for the arena of a gradient step. */
const SPARE = 40 * MIB;
/** As ONNX Runtime says it. */
const RAN_OUT = 'Failed to allocate memory';

let home: FaultHome;
beforeAll(async () => {
  // One step: what differs by rounding would be sampled from in the next one.
  home = await createFaultHome('memory', { ...SHORT_CONFIG, max_steps: 1 });
  await home.undisturbed('calm-run');
}, 5 * MINUTES);
afterAll(async () => home.remove(), MINUTES);

/** Linux, with util-linux. */
function mayLimit(): boolean {
  try {
    execFileSync('prlimit', ['--pid', String(process.pid), '--data'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What is allowed to a process beyond what it has; null: anything. */
function limitMemory(pid: number, spare: number | null): void {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = Number(/^VmData:\s+(\d+)/m.exec(status)?.[1]) * 1024;
  const limit = spare === null ? 'unlimited' : String(bytes + spare);
  execFileSync('prlimit', ['--pid', String(pid), `--data=${limit}:`]);
}

/** Until the policy engine has run out of memory once. */
async function untilShort(run: string): Promise<void> {
  const log = join(home.path, 'worker.log');
  await vi.waitUntil(
    async () => {
      if ((await home.toolsample.status(run)).step > 0) throw new Error('the memory was enough');
      return (await readFile(log, 'utf8')).includes(RAN_OUT);
    },
    { timeout: 2 * MINUTES, interval: 20 },
  );
}

async function step(run: string): Promise<{ loss: number; norm: number }> {
  const { rows } = await withClient(home.databaseUrl, async (client) =>
    client.query<{ loss: number; norm: number }>(
      'select loss, grad_norm as norm from steps where run = $1',
      [run],
    ),
  );
  return rows[0] ?? { loss: NaN, norm: NaN };
}

/** All numbers of the exported policy; tensors lie behind a header, whose size comes first. */
async function weights(run: string): Promise<Float32Array> {
  const { policyFolder } = await home.toolsample.status(run);
  const bytes = await readFile(join(policyFolder ?? '', 'model.safetensors'));
  const header = 8 + Number(bytes.readBigUInt64LE());
  return new Float32Array(Uint8Array.from(bytes.subarray(header)).buffer);
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

describe.runIf(mayLimit())('memory that runs out in a gradient step', () => {
  it(
    'costs time: the step is made in smaller parts, with the same result up to rounding',
    async () => {
      const run = 'little-memory';
      const worker = home.startWorker();
      const epoch = await home.start(run);
      await inTheMiddleOf(home.toolsample, epoch, 'gradientStep');
      limitMemory(worker.pid, SPARE);
      await untilShort(run);
      limitMemory(worker.pid, null);
      expect((await home.end(run)).state).toBe('completed');
      // The same process, all the time.
      expect(await worker.terminate()).toBe(0);

      const [calm, found] = [await step('calm-run'), await step(run)];
      expect(found.loss / calm.loss).toBeCloseTo(1, 4);
      expect(found.norm / calm.norm).toBeCloseTo(1, 4);
      const [expected, trained] = [await weights('calm-run'), await weights(run)];
      const changed = trained.map((value, i) => value - (expected[i] ?? NaN));
      expect(norm(changed)).toBeLessThan(1e-5 * norm(expected));
    },
    5 * MINUTES,
  );
});
