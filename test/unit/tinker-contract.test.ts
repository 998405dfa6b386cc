import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { PolicyEngine, PolicyRef } from '../../contracts/policy.ts';
import { BUILTIN_POLICY } from '../../policy/checkpoint/builtin-policy.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { createPolicyEngine } from '../../policy/engine/create-policy-engine.ts';
import { openArtifactStore } from '../../services/artifact-store.ts';
import { createTinkerEngine } from '../../tinker/create-tinker-engine.ts';
import { readSavedWeights } from '../../tinker/saved-weights.ts';
import { serviceAdapters } from './support/service-adapters.ts';
import {
  recordedBatch,
  replay,
  sampleFrom,
  useService,
  type Fault,
  type RecordedExchange,
  type Replay,
  type UsedService,
} from './support/tinker-exchange.ts';

/*
 * The engine against what a real service answered, byte for byte: a request that is not among the recorded ones is an error. Recorded
 * anew with `npm run record-tinker`.
 */

const KEY = 'planted-tinker-key-51c0';
const PATIENCE = { away: 300, busy: 300, pause: 5 };
const recorded = JSON.parse(
  await readFile(new URL('../fixtures/tinker/exchange.json', import.meta.url), 'utf8'),
) as RecordedExchange;

let folder: string;
let artifacts: ArtifactStore;
let service: Replay;
let engine: PolicyEngine;
let undisturbed: UsedService;
let used = 0;

const open = (): PolicyEngine =>
  createTinkerEngine({
    artifacts,
    baseUrl: service.url,
    baseModel: 'auto',
    reduction: 'sequence-mean',
    apiKey: KEY,
    patience: PATIENCE,
  });

const use = async (): Promise<UsedService> =>
  useService(engine, artifacts, join(folder, String(++used)));

/** What went wrong, in words that a user would see. */
const failure = async (work: Promise<unknown>): Promise<ToolsampleError> => {
  const error = await work.then(
    () => new Error('it went well'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ToolsampleError)) throw error;
  expect(`${error.stack} ${String(error.cause)}`).not.toContain(KEY);
  return error;
};

const json = (status: number, body: object) => ({
  status,
  answer: Buffer.from(JSON.stringify(body)).toString('base64'),
});

/** As the run began. */
const base = () => ({ ...undisturbed.step.policy, weights: null, optimizer: null });

const comparable = ({ sampled, step, next, last, greedy }: UsedService) => ({
  sampled,
  greedy,
  steps: [step, next, last].map((each) => ({ ...each, seconds: 0 })),
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-tinker-'));
  artifacts = await openArtifactStore({
    artifacts: join(folder, 'artifacts'),
    temporary: join(folder, 'temporary'),
    cache: join(folder, 'cache'),
  });
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  service = await replay(recorded);
  engine = open();
});

afterEach(async () => {
  await engine.close();
  await service.close();
});

describe('a training service', () => {
  it('is used as the recorded one was', async () => {
    undisturbed = await use();
    expect(service.unknown).toEqual([]);
    expect([...service.keys]).toEqual([KEY]);
    const { sampled, step, next, last, greedy, exported } = undisturbed;
    expect(sampled).toHaveLength(4);
    expect(greedy.map(({ prompt, index }) => [prompt, index])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    for (const { gradNorm, entropy, samplingLogpDifference } of [step, next, last]) {
      expect(gradNorm).toBeGreaterThan(0);
      expect(samplingLogpDifference).toBeGreaterThan(0);
      expect(entropy).toBeGreaterThan(0);
    }
    const saved = await readSavedWeights(step.policy.weights!, artifacts);
    expect(saved.training).toMatch(/^tinker:\/\/model_\w+\/weights\/train-/);
    expect(saved.sampler).toMatch(/^tinker:\/\/model_\w+\//);
    expect(await readdir(exported.last)).toEqual([
      'adapter.tar.gz',
      'config.json',
      'tinker.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(await engine.device()).toMatchObject({ device: 'service', url: service.url });
  });

  it('computes what our own engine does: loss, gradient and tokens', async () => {
    const { sampled, step, next, greedy, exported } = undisturbed;
    const policy = await importPolicyFolder(BUILTIN_POLICY, artifacts);
    const own = createPolicyEngine({ artifacts, threads: 1 });
    try {
      const ours = await own.gradientStep(await recordedBatch(artifacts, policy, sampled, 1));
      expect(Math.abs(ours.loss)).toBeGreaterThan(1e-2);
      expect(Math.abs(step.loss - ours.loss)).toBeLessThan(1e-3);
      expect(step.tokens).toBe(ours.tokens);
      // From the adapters that the service had trained by then.
      const first = await serviceAdapters(exported.first, policy, artifacts);
      const ourNext = await own.gradientStep(await recordedBatch(artifacts, first, sampled, 1));
      expect(Math.abs(next.loss - ourNext.loss)).toBeLessThan(1e-3);
      expect(next.loss).not.toBeCloseTo(step.loss, 4);
      expect((next.gradNorm ?? 0) / (ourNext.gradNorm ?? 1)).toBeCloseTo(1, 3);
      const last = await serviceAdapters(exported.last, policy, artifacts);
      const ourGreedy = await sampleFrom(own, artifacts, last, 0);
      expect(ourGreedy.map(({ ids }) => ids)).toEqual(greedy.map(({ ids }) => ids));
      const off = ourGreedy.flatMap(({ logprobs }, i) =>
        logprobs.map((logprob, t) => Math.abs(logprob - (greedy[i]?.logprobs[t] ?? Number.NaN))),
      );
      expect(Math.max(...off)).toBeLessThan(1e-3);
    } finally {
      await own.close();
    }
  });

  it.each<Fault>(['408', '429', '500', 'cut', 'lost'])(
    'that answers every request with %s at first gives the same',
    async (kind) => {
      service.fault(kind);
      const disturbed = await use();
      expect(service.unknown).toEqual([]);
      expect(service.asked.length).toBeGreaterThan(30);
      expect(comparable(disturbed)).toEqual(comparable(undisturbed));
    },
  );

  it('that has lost the model in the middle of a step gives the same, from what was saved last', async () => {
    const lost = recorded.exchanges.find(({ status }) => status === 400);
    expect(Buffer.from(lost?.answer ?? '', 'base64').toString()).toContain('not loaded');
    service.once('/api/v1/optim_step', lost ?? json(404, {}));
    const { sampled, step, last, greedy } = await use();
    expect(service.unknown).toEqual([]);
    expect(service.asked.filter((path) => path.endsWith('create_model'))).toHaveLength(2);
    expect(sampled).toEqual(undisturbed.sampled);
    // Another model, which the service computed anew: the same up to rounding.
    expect(greedy.map(({ ids }) => ids)).toEqual(undisturbed.greedy.map(({ ids }) => ids));
    expect(step.policy.weights).not.toEqual(undisturbed.step.policy.weights);
    expect(step.loss).toBeCloseTo(undisturbed.step.loss, 5);
    expect(last.loss).toBeCloseTo(undisturbed.last.loss, 5);
  });

  it('is asked for no update where every sequence is masked: the policy is saved as it stands', async () => {
    const batch = await recordedBatch(artifacts, base(), undisturbed.sampled, 2);
    const masked = batch.sequences.map((sequence) => ({ ...sequence, masked: true }));
    let policy: PolicyRef = base();
    for (let step = 0; step < 2; step++) {
      // The numbers of these requests are others than in the recorded ones.
      for (const [path, id] of [
        ['save_weights', '26'],
        ['save_weights_for_sampler', '27'],
      ] as const) {
        service.once(`/api/v1/${path}`, json(200, { request_id: id, status: 'pending' }));
      }
      const result = await engine.gradientStep({ ...batch, policy, sequences: masked });
      expect(result).toMatchObject({ loss: 0, gradNorm: 0, entropy: 0, kl: null, tokens: 0 });
      policy = result.policy;
      const { training, sampler } = await readSavedWeights(policy.weights!, artifacts);
      expect([training, sampler].map((path) => path.split('/').at(-1))).toEqual([
        'train-3',
        'sample-4',
      ]);
      expect(policy.optimizer).toEqual(policy.weights);
    }
    expect(service.unknown).toEqual([]);
    const asked = service.asked.map((path) => path.split('/').at(-1));
    expect(asked.filter((call) => call === 'create_model')).toHaveLength(1);
    expect(asked.filter((call) => call === 'save_weights')).toHaveLength(2);
    expect(asked).not.toContain('forward_backward');
    expect(asked).not.toContain('optim_step');
  });

  it('that has forgotten the session is given a new one', async () => {
    service.once('/api/v1/create_model', json(404, { detail: 'Session not found' }));
    const disturbed = await use();
    expect(service.asked.filter((path) => path.endsWith('create_session'))).toHaveLength(2);
    expect(comparable(disturbed)).toEqual(comparable(undisturbed));
  });
});

describe('what a training service does wrong is told', () => {
  it('when it does not let us in', async () => {
    service.once(
      '/api/v1/get_server_capabilities',
      json(401, { detail: `the key ${KEY} is not known` }),
    );
    const error = await failure(sampleFrom(engine, artifacts, base(), 1));
    expect(error).toMatchObject({ code: 'config', retryable: false });
    expect(error.message).toContain('TINKER_API_KEY');
  });

  it('when it refuses', async () => {
    service.once('/api/v1/asample', json(400, { detail: `no such thing for ${KEY}` }));
    const error = await failure(sampleFrom(engine, artifacts, base(), 1));
    expect(error.code).toBe('config');
    expect(error.message).toBe(
      'the training service refuses asample: no such thing for … — see docs/tinker.md for what a service has to offer',
    );
  });

  it('when work failed on its side', async () => {
    service.once(
      '/api/v1/retrieve_future',
      json(200, { error: 'out of luck', category: 'server' }),
    );
    const error = await failure(sampleFrom(engine, artifacts, base(), 1));
    expect(error).toMatchObject({ code: 'service', retryable: true });
  });

  it('when it answers something else than was agreed', async () => {
    service.once('/api/v1/retrieve_future', json(200, { sequences: [{ tokens: [1] }] }));
    const error = await failure(sampleFrom(engine, artifacts, base(), 1));
    expect(error.code).toBe('service');
    expect(error.message).toMatch(/sequences\.0\.logprobs.*asample/);
  });

  it('when it has lost what it saved', async () => {
    engine = open();
    for (const path of ['asample', 'load_weights']) {
      service.once(`/api/v1/${path}`, json(404, { detail: 'Checkpoint not found: x/y' }));
    }
    const error = await failure(sampleFrom(engine, artifacts, undisturbed.step.policy, 0));
    expect(error.code).toBe('not-found');
  });

  it('when it is away', async () => {
    await service.close();
    const error = await failure(sampleFrom(engine, artifacts, base(), 1));
    expect(error).toMatchObject({ code: 'service', retryable: true });
    expect(error.message).toMatch(/does not answer: connect ECONNREFUSED/);
    service = await replay(recorded);
  });
});
