import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import type {
  GradientRequest,
  PolicyEngine,
  PolicyRef,
  TrainableOptions,
} from '../../contracts/policy.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { createPolicyEngine } from '../../policy/engine/create-policy-engine.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { writeTinyPolicy } from './support/tiny-policy.ts';
import { FULL, LORA, OBJECTIVE, OPTIMIZER } from './support/training-options.ts';

const PROMPT = [65, 66, 67];

let root: string;
let store: ArtifactStore;
let base: PolicyRef;
let engine: PolicyEngine;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-reference-'));
  store = await openFolderStore({
    artifacts: join(root, 'artifacts'),
    temporary: join(root, 'tmp'),
  });
  await writeTinyPolicy(join(root, 'policy'));
  base = await importPolicyFolder(join(root, 'policy'), store);
  engine = createPolicyEngine({ artifacts: store, threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

/** The base after a supervised cold start, as the first GRPO step takes it up. */
async function warmStarted(trainable: TrainableOptions): Promise<PolicyRef> {
  const demonstrations = [{ promptIds: PROMPT, completionIds: [104, 105, 257] }];
  const { policy } = await engine.supervise({
    policy: base,
    trainable,
    batches: Array.from({ length: 20 }, () => ({ demonstrations, optimizer: OPTIMIZER })),
    microBatchTokens: 64,
  });
  return { ...policy, optimizer: null };
}

async function gradient(
  policy: PolicyRef,
  trainable: TrainableOptions,
  beta = 0.04,
): Promise<GradientRequest> {
  const completions = await engine.generate({
    policy,
    trainable,
    prompts: [{ ids: PROMPT, seeds: [1, 2, 3] }],
    sampling: { temperature: 1, topP: 1, maxNewTokens: 12 },
  });
  return {
    policy,
    trainable,
    sequences: completions.map(({ ids, logprobs }, i) => ({
      promptIds: PROMPT,
      completionIds: ids,
      rolloutLogprobs: logprobs,
      advantage: i - 1.2,
      masked: false,
    })),
    objective: { ...OBJECTIVE, beta, maxCompletionLength: 12 },
    optimizer: OPTIMIZER,
    microBatchTokens: 64,
  };
}

describe.each([FULL, LORA])('after a cold start, $mode', { timeout: 120_000 }, (trainable) => {
  it('KL is 0 at the first GRPO step, and grows from there', async () => {
    const start = await warmStarted(trainable);
    const reference = start.weights!;
    const asked = await gradient(start, trainable);
    // To the base it is far from 0 already.
    expect((await engine.gradientStep(asked)).kl).toBeGreaterThan(0.1);
    const first = await engine.gradientStep({ ...asked, reference });
    expect(first.kl).toBeLessThan(1e-6);
    const next = { ...(await gradient(first.policy, trainable)), reference };
    const second = await engine.gradientStep(next);
    expect(second.kl).toBeGreaterThan(1e-5);

    // What is remembered is what is read: a worker that comes later computes the same bytes.
    const other = createPolicyEngine({ artifacts: store, threads: 1 });
    try {
      const again = await other.gradientStep(next);
      expect({ ...again, seconds: 0 }).toEqual({ ...second, seconds: 0 });
    } finally {
      await other.close();
    }
  });

  it('is to the base again where no reference is given', async () => {
    const plain = await gradient(base, trainable);
    const before = await engine.gradientStep(plain);
    expect(before.kl).toBeLessThan(1e-6);
    const start = await warmStarted(trainable);
    await engine.gradientStep({
      ...(await gradient(start, trainable)),
      reference: start.weights!,
    });
    const after = await engine.gradientStep(plain);
    expect({ ...after, seconds: 0 }).toEqual({ ...before, seconds: 0 });
  });
});

it('shards measure to the same reference', async () => {
  const start = await warmStarted(LORA);
  const asked = { ...(await gradient(start, LORA)), reference: start.weights! };
  const whole = await engine.gradientStep(asked);
  const { gradients, microBatches } = await engine.gradientShard({
    ...asked,
    shard: 0,
    shards: 1,
  });
  const sharded = await engine.applyGradients({
    ...asked,
    gradients: [{ artifact: gradients!, microBatches }],
  });
  expect({ ...sharded, seconds: 0 }).toEqual({ ...whole, seconds: 0 });
  expect(sharded.kl).toBeLessThan(1e-6);
}, 120_000);

it('a reference that is gone is told', async () => {
  const asked = await gradient(base, FULL);
  const reference = { sha256: '0'.repeat(64), bytes: 1 };
  await expect(engine.gradientStep({ ...asked, reference })).rejects.toMatchObject({
    code: 'not-found',
  });
}, 120_000);
