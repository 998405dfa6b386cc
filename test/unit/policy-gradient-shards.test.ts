import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import type {
  GradientRequest,
  GradientResult,
  PolicyEngine,
  PolicyRef,
  TrainingSequence,
} from '../../contracts/policy.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { createPolicyEngine } from '../../policy/engine/create-policy-engine.ts';
import { shardsOf } from '../../policy/training/gradient-shards.ts';
import type { MicroBatch } from '../../policy/training/micro-batches.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import type { SweepableStore } from '../../contracts/artifacts.ts';
import { writeTinyPolicy } from './support/tiny-policy.ts';
import { LORA, OBJECTIVE, OPTIMIZER } from './support/training-options.ts';

let root: string;
let store: SweepableStore;
let base: PolicyRef;
let engines: PolicyEngine[];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-gradient-shards-'));
  store = await openFolderStore({
    artifacts: join(root, 'artifacts'),
    temporary: join(root, 'tmp'),
  });
  await writeTinyPolicy(join(root, 'policy'));
  base = await importPolicyFolder(join(root, 'policy'), store);
  engines = [1, 2, 3].map(() => createPolicyEngine({ artifacts: store, threads: 1 }));
}, 60_000);
afterAll(async () => {
  for (const engine of engines) await engine.close();
  await rm(root, { recursive: true, force: true });
});

/** Groups of one prompt each, of very different lengths: micro-batches of one row and of several. */
function rollouts(step: number): TrainingSequence[] {
  const random = seededRandom(hashSeed('gradient-shards', step));
  const ids = (length: number): number[] =>
    Array.from({ length }, () => Math.floor(random() * 250));
  return Array.from({ length: 5 }, (_, group) => {
    const promptIds = ids(4 + 70 * (group % 3));
    return Array.from({ length: 3 }, (_each, index): TrainingSequence => {
      const completionIds = ids(3 + 9 * index);
      return {
        promptIds,
        completionIds,
        rolloutLogprobs: completionIds.map(() => -5 - random()),
        advantage: index - 1.2,
        masked: group === 4 && index === 0,
      };
    });
  }).flat();
}

const request = (policy: PolicyRef, step: number, beta = 0): GradientRequest => ({
  policy,
  trainable: LORA,
  sequences: rollouts(step),
  objective: { ...OBJECTIVE, beta },
  optimizer: { ...OPTIMIZER, weightDecay: 0.01, maxGradNorm: 0.2 },
  microBatchTokens: 200,
});

/** The step in parts, each by the next of the engines; the last one updates. */
async function inShards(
  asked: GradientRequest,
  shards: number,
  computing = engines,
): Promise<{ readonly result: GradientResult; readonly microBatches: readonly number[] }> {
  const parts = [];
  for (let shard = 0; shard < shards; shard++) {
    const engine = computing[shard % computing.length]!;
    parts.push(await engine.gradientShard({ ...asked, shard, shards }));
  }
  expect(new Set(parts.map(({ plan }) => plan)).size).toBe(1);
  const result = await computing.at(-1)!.applyGradients({
    ...asked,
    gradients: parts.flatMap(({ gradients, microBatches }) =>
      gradients === null ? [] : [{ artifact: gradients, microBatches }],
    ),
  });
  return { result, microBatches: parts.map(({ microBatches }) => microBatches) };
}

const withoutSeconds = (result: GradientResult) => ({ ...result, seconds: 0 });

describe('a gradient step of adapters in shards', { timeout: 120_000 }, () => {
  it.each([0, 0.05])('is the step of one worker, bit by bit (beta %d)', async (beta) => {
    const [alone] = engines;
    let policy = base;
    for (let step = 1; step <= 3; step++) {
      const asked = request(policy, step, beta);
      const whole = await alone!.gradientStep(asked);
      for (const shards of [1, 2, 3, 16]) {
        const { result, microBatches } = await inShards(asked, shards);
        expect(withoutSeconds(result)).toEqual(withoutSeconds(whole));
        const micros = microBatches.reduce((sum, n) => sum + n, 0);
        expect(micros).toBeGreaterThan(3);
        // More shards than micro-batches: some have nothing to do.
        expect(microBatches.includes(0)).toBe(shards === 16);
      }
      expect(whole.policy.weights).not.toEqual(policy.weights);
      expect(whole.gradNorm).toBeGreaterThan(0.2);
      policy = whole.policy;
    }
  });

  it('changes nothing where every sequence is masked', async () => {
    const [alone] = engines;
    const { policy } = await alone!.gradientStep(request(base, 1));
    const asked = request(policy, 2);
    const sequences = asked.sequences.map((sequence) => ({ ...sequence, masked: true }));
    const whole = await alone!.gradientStep({ ...asked, sequences });
    const { result } = await inShards({ ...asked, sequences }, 2);
    expect(withoutSeconds(result)).toEqual(withoutSeconds(whole));
    expect(result.policy).toEqual(policy);
  });

  it('does not depend on what its workers computed before', async () => {
    const [first, second] = engines;
    const one = await first!.gradientStep(request(base, 1));
    const two = await first!.gradientStep(request(one.policy, 2));
    const fresh = createPolicyEngine({ artifacts: store, threads: 1 });
    try {
      // One stands elsewhere, one at an older step, one nowhere.
      await second!.gradientStep(request(base, 7));
      const { result } = await inShards(request(one.policy, 2), 3, [second!, first!, fresh]);
      expect(withoutSeconds(result)).toEqual(withoutSeconds(two));
    } finally {
      await fresh.close();
    }
  });

  it('tells apart what was divided in another way', async () => {
    const asked = request(base, 1);
    const [engine] = engines;
    const half = await engine!.gradientShard({ ...asked, shard: 0, shards: 2 });
    const finer = await engine!.gradientShard({
      ...asked,
      microBatchTokens: 100,
      shard: 0,
      shards: 2,
    });
    expect(finer.plan).not.toBe(half.plan);
    // Computing more twice changes no result.
    const memory = { limit: null, strict: false, recompute: true };
    const sparing = await engine!.gradientShard({ ...asked, memory, shard: 0, shards: 2 });
    expect(sparing.plan).toBe(half.plan);
    expect(sparing.gradients).toEqual(half.gradients);
  });

  it('refuses gradients of something else', async () => {
    const asked = request(base, 1);
    const [engine] = engines;
    const { gradients, microBatches } = await engine!.gradientShard({
      ...asked,
      shard: 0,
      shards: 1,
    });
    await expect(
      engine!.applyGradients({
        ...asked,
        trainable: { ...LORA, loraRank: 2 },
        gradients: [{ artifact: gradients!, microBatches }],
      }),
    ).rejects.toMatchObject({ code: 'checkpoint' });
  });
});

const micro = (rows: number, length: number): MicroBatch => ({ rows, length }) as MicroBatch;
const sizes = (micros: MicroBatch[], shards: number): number[][] =>
  shardsOf(micros, shards).map((part) => part.map(({ rows, length }) => rows * length));

it('micro-batches are shared out in their order, by their size', () => {
  expect(sizes([micro(1, 100), micro(1, 100), micro(2, 50), micro(1, 100)], 2)).toEqual([
    [100, 100],
    [100, 100],
  ]);
  expect(sizes([micro(1, 300), micro(1, 100), micro(1, 100), micro(1, 100)], 2)).toEqual([
    [300],
    [100, 100, 100],
  ]);
  expect(sizes([micro(1, 5)], 3)).toEqual([[], [5], []]);
  expect(sizes([], 2)).toEqual([[], []]);
});
