import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type {
  EngineProgress,
  GenerationRequest,
  GradientRequest,
  PolicyEngine,
  PolicyRef,
} from '../../contracts/policy.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { createPolicyEngine } from '../../policy/engine/create-policy-engine.ts';
import { loadPolicyText } from '../../policy/text/policy-text.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { writeTinyPolicy } from './support/tiny-policy.ts';
import { FULL, LORA, OBJECTIVE, OPTIMIZER } from './support/training-options.ts';

let root: string;
let store: ArtifactStore;
let base: PolicyRef;
let engine: PolicyEngine;
let workers: Worker[];
const remember = (worker: Worker): void => {
  workers.push(worker);
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-engine-'));
  store = await openFolderStore({
    artifacts: join(root, 'artifacts'),
    temporary: join(root, 'tmp'),
  });
  await writeTinyPolicy(join(root, 'policy'));
  base = await importPolicyFolder(join(root, 'policy'), store);
  workers = [];
  process.on('worker', remember);
  engine = createPolicyEngine({ artifacts: store, threads: 1 });
});
afterAll(async () => {
  process.off('worker', remember);
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

const ids = (salt: number, length: number): number[] =>
  Array.from({ length }, (_, i) => 65 + ((salt * 7 + i * 3) % 50));

function generation(policy: PolicyRef, trainable = FULL, maxNewTokens = 20): GenerationRequest {
  return {
    policy,
    trainable,
    prompts: [
      { ids: ids(1, 5), seeds: [1, 2, 3] },
      { ids: ids(2, 9), seeds: [4, 5, 6] },
    ],
    sampling: { temperature: 1, topP: 1, maxNewTokens },
  };
}

async function gradient(policy: PolicyRef, trainable = FULL): Promise<GradientRequest> {
  const completions = await engine.generate(generation(policy, trainable));
  return {
    policy,
    trainable,
    sequences: completions.map((completion, i) => ({
      promptIds: generation(policy).prompts[completion.prompt]!.ids,
      completionIds: completion.ids,
      rolloutLogprobs: completion.logprobs,
      advantage: (i % 3) - 1,
      masked: false,
    })),
    objective: { ...OBJECTIVE, maxCompletionLength: 20 },
    optimizer: OPTIMIZER,
    microBatchTokens: 64,
  };
}

describe('policy engine', { timeout: 120_000 }, () => {
  it('imports a folder under a stable reference, text side included', async () => {
    expect(await importPolicyFolder(join(root, 'policy'), store)).toEqual(base);
    expect(base).toMatchObject({ weights: null, optimizer: null });
    const text = await loadPolicyText(base.base, store);
    expect(
      text.decode(text.encodePrompt({ messages: [{ role: 'user', content: 'hi' }] })),
    ).toContain('hi');
  });

  it.each([
    ['full', FULL],
    ['lora', LORA],
  ])('trains and goes on from artifacts as from memory (%s)', async (_mode, trainable) => {
    const request = await gradient(base, trainable);
    const first = await engine.gradientStep(request);
    const second = await engine.gradientStep({ ...request, policy: first.policy });
    expect(second.policy.weights).not.toEqual(first.policy.weights);
    expect(Object.values(first).every((v) => typeof v !== 'number' || Number.isFinite(v))).toBe(
      true,
    );

    // Again from the base: the trainer in memory has moved on and must not be used.
    expect((await engine.gradientStep(request)).policy).toEqual(first.policy);
    // And in an engine that has only the artifacts.
    const other = createPolicyEngine({ artifacts: store, threads: 1 });
    try {
      const resumed = await other.gradientStep({ ...request, policy: first.policy });
      expect(resumed.policy).toEqual(second.policy);
      const after = generation(second.policy, trainable);
      expect(await other.generate(after)).toEqual(await engine.generate(after));
    } finally {
      await other.close();
    }
  });

  it('samples the policy it is asked for, not the one trained last', async () => {
    const before = await engine.generate(generation(base));
    const request = await gradient(base);
    const { policy } = await engine.gradientStep(request);
    const trained = await engine.generate(generation(policy));
    expect(trained.map((c) => c.logprobs)).not.toEqual(before.map((c) => c.logprobs));
    expect(await engine.generate(generation(base))).toEqual(before);
    expect(await engine.generate(generation(policy))).toEqual(trained);
  });

  it('learns demonstrations by heart', async () => {
    const demonstration = { promptIds: ids(1, 5), completionIds: [104, 105, 257] };
    const result = await engine.supervise({
      policy: base,
      trainable: FULL,
      batches: Array.from({ length: 40 }, () => ({
        demonstrations: [demonstration],
        optimizer: OPTIMIZER,
      })),
      microBatchTokens: 64,
    });
    expect(result.lastLoss).toBeLessThan(0.05);
    expect(result.lastLoss).toBeLessThan(result.meanLoss);
    expect(result.meanLoss).toBeLessThan(result.firstLoss);
    const [completion] = await engine.generate({
      ...generation(result.policy),
      prompts: [{ ids: demonstration.promptIds, seeds: [1] }],
      sampling: { temperature: 0, topP: 1, maxNewTokens: 10 },
    });
    expect(completion).toMatchObject({ ids: [104, 105, 257], finishReason: 'stop' });
  });

  it.each([
    ['full', FULL],
    ['lora', LORA],
  ])('exports a folder that is the policy (%s)', async (mode, trainable) => {
    const { policy } = await engine.gradientStep(await gradient(base, trainable));
    const folder = join(root, `export-${mode}`);
    const exported = await engine.export(policy, trainable, folder);
    expect(await engine.export(policy, trainable, folder)).toEqual(exported);
    expect((await readdir(folder)).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toMatchObject({
      torch_dtype: 'float32',
    });
    const again = await importPolicyFolder(folder, store);
    expect(await engine.generate(generation(again))).toEqual(
      await engine.generate(generation(policy, trainable)),
    );
  });

  it('reports progress and can be stopped; the next call is unharmed', async () => {
    const seen: EngineProgress[] = [];
    const long = generation(base, FULL, 80);
    const expected = await engine.generate(long, { onProgress: (p) => seen.push(p) });
    expect(seen.at(-1)).toMatchObject({ unit: 'tokens' });
    expect(seen.at(-1)!.done).toBe(seen.at(-1)!.total);

    const request = await gradient(base);
    const undisturbed = await engine.gradientStep(request);
    const many = { ...request, objective: { ...request.objective, numIterations: 100 } };
    const controller = new AbortController();
    const stopped = engine.gradientStep(many, {
      signal: controller.signal,
      onProgress: () => {
        controller.abort(new Error('enough'));
      },
    });
    const queued = engine.gradientStep(request);
    await expect(stopped).rejects.toThrow('enough');
    expect((await queued).policy).toEqual(undisturbed.policy);
    await expect(
      engine.generate(long, { signal: AbortSignal.abort(new Error('before it began')) }),
    ).rejects.toThrow('before it began');
    expect(await engine.generate(long)).toEqual(expected);
    expect(await readdir(join(root, 'tmp'))).toEqual([]);
  });

  it('survives the death of its thread: the call rejects, a retry succeeds', async () => {
    const request = await gradient(base);
    const expected = await engine.gradientStep(request);
    const many = { ...request, objective: { ...request.objective, numIterations: 1000 } };
    const killed = engine.gradientStep(many, {
      // A message that the thread does not expect: an uncaught error ends it. The first thread is this engine's.
      onProgress: () => {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        workers[0]!.postMessage(null);
      },
    });
    const error: unknown = await killed.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ToolsampleError);
    expect(error).toMatchObject({ code: 'service', retryable: true });
    expect((await engine.gradientStep(request)).policy).toEqual(expected.policy);
  });

  it('passes errors across with code, place and advice', async () => {
    const prompts = [{ ids: ids(1, 200), seeds: [1] }];
    const error: unknown = await engine
      .generate({ ...generation(base), prompts })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ToolsampleError);
    expect(error).toMatchObject({
      code: 'dataset',
      hint: expect.stringContaining('maxPromptLength') as string,
      message: expect.stringMatching(/^prompt 1 has 200 tokens.* — .*maxPromptLength$/) as string,
    });
    const { policy } = await engine.gradientStep(await gradient(base));
    const wrong = { ...LORA, loraRank: 2 };
    await expect(engine.generate(generation(policy, wrong))).rejects.toThrow(
      /trained weights, field "model.layers.0.self_attn.q_proj.lora_A.weight": tensor is missing/,
    );
  });

  it('says on which device it computes', async () => {
    expect(await engine.device()).toEqual({ device: 'cpu', graphs: [] });
    const other = createPolicyEngine({ artifacts: store, threads: 1, device: 'auto' });
    const { device } = await other.device();
    await other.close();
    expect(['cpu', 'cuda']).toContain(device);
    if (device === 'cuda') return;
    const lacking = createPolicyEngine({ artifacts: store, threads: 1, device: 'cuda' });
    for (const call of [() => lacking.device(), () => lacking.generate(generation(base))]) {
      await expect(call()).rejects.toMatchObject({ code: 'config', location: { field: 'device' } });
    }
    await lacking.close();
  });

  it('can be closed in the middle of a computation', async () => {
    const request = await gradient(base);
    const many = { ...request, objective: { ...request.objective, numIterations: 1000 } };
    const other = createPolicyEngine({ artifacts: store, threads: 1 });
    let closed: Promise<void> | undefined;
    const running = other.gradientStep(many, {
      onProgress: () => {
        closed ??= other.close();
      },
    });
    await expect(running).rejects.toThrow('the policy engine is closed');
    await closed;
  });

  it('rejects what is running and what comes after when it is closed', async () => {
    const brief = createPolicyEngine({ artifacts: store, threads: 1 });
    const running = brief.generate(generation(base, FULL, 80));
    running.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const queued = brief.generate(generation(base));
    queued.catch(() => undefined);
    await brief.close();
    await expect(running).rejects.toThrow('the policy engine is closed');
    await expect(queued).rejects.toMatchObject({ code: 'service' });
    await expect(brief.generate(generation(base))).rejects.toThrow('the policy engine is closed');
  });
});
