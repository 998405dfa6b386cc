import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import { LOSS_TYPES } from '../../contracts/config.ts';
import type { GradientRequest, PolicyEngine, PolicyRef } from '../../contracts/policy.ts';
import { BUILTIN_POLICY } from '../../policy/checkpoint/builtin-policy.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { createPolicyEngine } from '../../policy/engine/create-policy-engine.ts';
import { openArtifactStore } from '../../services/artifact-store.ts';
import { withClient } from '../../services/postgres/connection.ts';
import { inspectServices } from '../../services/services.ts';
import { createTinkerEngine } from '../../tinker/create-tinker-engine.ts';
import { superviseRun, type SupervisedRun } from '../chaos/supervised-run.ts';
import { OWN_ENVIRONMENT } from '../chaos/toolsample-home.ts';
import { OPTIMIZER } from '../unit/support/tinker-exchange.ts';
import { OBJECTIVE } from '../unit/support/training-options.ts';
import { SKYRL_AT_HAND, startSkyrl, type SkyrlServer } from './skyrl-server.ts';
import { writeTinyQwen3 } from './tiny-qwen3.ts';

/*
 * Against SkyRL's real service, where docs/tinker.md's virtual environment is at hand. JAX compiles each shape for seconds.
 */

/** On an idle machine two or three minutes are enough. */
const LONG = 30 * 60_000;
const TRAINABLE = { mode: 'lora', loraRank: 4, loraAlpha: 32, seed: 5 } as const;

let root: string;
let skyrl: SkyrlServer | undefined;

const qwen3 = (): string => join(root, 'qwen3');

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-skyrl-'));
});

afterAll(async () => {
  await skyrl?.kill();
  await rm(root, { recursive: true, force: true });
});

describe.skipIf(!SKYRL_AT_HAND)('a tiny random Qwen3 at SkyRL', { timeout: LONG }, () => {
  let artifacts: ArtifactStore;
  let policy: PolicyRef;
  let own: PolicyEngine;
  let service: PolicyEngine;

  beforeAll(async () => {
    await writeTinyQwen3(qwen3());
    artifacts = await openArtifactStore({
      artifacts: join(root, 'artifacts'),
      temporary: join(root, 'temporary'),
      cache: join(root, 'cache'),
    });
    policy = await importPolicyFolder(qwen3(), artifacts);
    skyrl = await startSkyrl({ model: qwen3(), folder: join(root, 'qwen3-server') });
    own = createPolicyEngine({ artifacts, threads: 1 });
    service = createTinkerEngine({
      artifacts,
      baseUrl: skyrl.url,
      baseModel: 'auto',
      reduction: 'sequence-mean',
      apiKey: undefined,
    });
  }, LONG);

  afterAll(async () => {
    await own?.close();
    await service?.close();
    await skyrl?.kill();
  });

  const prompts = [
    { ids: [256, 258, 72, 101, 108, 108, 111, 62], seeds: [1, 2, 3] },
    { ids: [256, 258, 50, 43, 50, 61, 62], seeds: [4, 5] },
  ];
  const generate = async (engine: PolicyEngine, temperature: number) => {
    const sampling = { temperature, topP: 1, maxNewTokens: 24 };
    const completions = await engine.generate({ policy, trainable: TRAINABLE, prompts, sampling });
    return [...completions].sort((a, b) => a.prompt - b.prompt || a.index - b.index);
  };
  const request = async (
    from: PolicyRef,
    objective: Partial<GradientRequest['objective']> = {},
  ): Promise<GradientRequest> => ({
    policy: from,
    trainable: TRAINABLE,
    sequences: (await generate(service, 1)).map(({ prompt, ids, logprobs }, i) => ({
      promptIds: prompts[prompt]?.ids ?? [],
      completionIds: ids,
      // As if the rollouts were somewhat off the policy: every log-probability now decides the loss.
      rolloutLogprobs: logprobs.map((logprob, t) => logprob - 0.6 * Math.sin(t + i)),
      advantage: [1, -0.5, 0.25, -1, 0.75][i] ?? 0,
      masked: i === 4,
    })),
    objective: { ...OBJECTIVE, maxCompletionLength: 24, ...objective },
    optimizer: { ...OPTIMIZER, learningRate: 1e-2 },
    microBatchTokens: 4096,
  });

  it('has the log-probabilities of our own engine, token by token', async () => {
    const ours = await generate(own, 0);
    const theirs = await generate(service, 0);
    expect(theirs.map(({ ids }) => ids)).toEqual(ours.map(({ ids }) => ids));
    const off = theirs.flatMap(({ logprobs }, i) =>
      logprobs.map((logprob, t) => Math.abs(logprob - (ours[i]?.logprobs[t] ?? Number.NaN))),
    );
    expect(off.length).toBeGreaterThan(40);
    expect(Math.max(...off)).toBeLessThan(1e-3);
  });

  it.each(LOSS_TYPES)('has the loss of our own engine on the same batch: %s', async (lossType) => {
    const batch = await request(policy, { lossType });
    const ours = await own.gradientStep(batch);
    const theirs = await service.gradientStep(batch);
    expect(Math.abs(ours.loss)).toBeGreaterThan(1e-3);
    expect(Math.abs(theirs.loss - ours.loss)).toBeLessThan(1e-3);
  });

  it('is replayed from what was saved last when the service dies: the same step again', async () => {
    const first = await service.gradientStep(await request(policy, { numIterations: 2 }));
    const batch = await request(first.policy, { numIterations: 2 });
    const second = await service.gradientStep(batch);
    await skyrl?.kill();
    skyrl = await startSkyrl({
      model: qwen3(),
      folder: join(root, 'qwen3-server'),
      port: skyrl?.port ?? 0,
    });
    const again = await service.gradientStep(batch);
    expect(again.loss).toBeCloseTo(second.loss, 5);
    expect(again.gradNorm).toBeCloseTo(second.gradNorm ?? Number.NaN, 4);
    expect(second.loss).not.toBeCloseTo(first.loss, 5);
  });
});

describe.skipIf(!SKYRL_AT_HAND)('a run at SkyRL', { timeout: LONG }, () => {
  let run: SupervisedRun;

  afterAll(async () => {
    await run?.remove();
  });

  it('completes although the service is killed in the middle of it', async () => {
    const folder = join(root, 'run-server');
    skyrl = await startSkyrl({ model: BUILTIN_POLICY, folder });
    run = await superviseRun('tinker', {
      backend: 'tinker',
      tinkerBaseUrl: skyrl.url,
      policy: BUILTIN_POLICY,
      loraRank: 8,
      trainBatchSize: 4,
      numGenerations: 4,
      corpusSize: 32,
      evalSize: 4,
      maxPromptLength: 96,
      maxCompletionLength: 64,
      maxSteps: 3,
      evalSchedule: 'none',
      learningRate: 1e-3,
    });
    const rows = async <Row extends object>(sql: string): Promise<Row[]> => {
      const { postgres } = await inspectServices({ home: run.home, env: OWN_ENVIRONMENT });
      if (postgres.url === null) return [];
      return withClient(postgres.url, async (client) => (await client.query<Row>(sql)).rows).catch(
        () => [],
      );
    };
    const steps = () =>
      rows<{ loss: number; grad_norm: number }>(
        `select loss, grad_norm from steps where state = 'committed' order by step`,
      );
    while ((await steps()).length < 1) await sleep(200);
    // Step 2 is under way.
    await sleep(1000);
    await skyrl.kill();
    await sleep(3000);
    skyrl = await startSkyrl({ model: BUILTIN_POLICY, folder, port: skyrl.port });
    const { starts } = await run.completed;
    expect(starts).toBe(1);
    const committed = await steps();
    expect(committed).toHaveLength(3);
    for (const { loss, grad_norm: norm } of committed) {
      expect(Number.isFinite(loss)).toBe(true);
      expect(norm).toBeGreaterThan(0);
    }
    const checkpoints = await rows<{ weights_sha256: string }>(
      'select distinct weights_sha256 from checkpoints where step > 0',
    );
    expect(checkpoints).toHaveLength(3);
  });
});
