import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import type {
  GeneratedCompletion,
  PolicyEngine,
  PolicyRef,
  TrainableOptions,
} from '../../contracts/policy.ts';
import { markPruned } from '../../db/checkpoint-retention.ts';
import { commitCheckpoint } from '../../db/checkpoints.ts';
import type { Connection } from '../../db/connection.ts';
import { exportRun } from '../../client/export-run.ts';
import { folderFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { loadBaseWeights, readArchitecture } from '../../policy/checkpoint/base-weights.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { parseSafetensors, type MemoryTensor } from '../../policy/checkpoint/safetensors.ts';
import { createDecoder } from '../../policy/engine/create-decoder.ts';
import { createPolicyEngine } from '../../policy/engine/create-policy-engine.ts';
import type { LoadablePolicy } from '../../policy/engine/policy-files.ts';
import { runPolicy } from '../../client/run-policy.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import { writeTinyPolicy } from './support/tiny-policy.ts';

/** A Python that has torch, transformers and peft. */
const PYTHON = process.env['TOOLSAMPLE_PYTHON'];

const FULL: TrainableOptions = { mode: 'full', loraRank: 4, loraAlpha: 6, seed: 3 };
const LORA: TrainableOptions = { ...FULL, mode: 'lora' };
/** 24 samples, 8 a step: epochs of 3 steps, 3 of them. */
const SAMPLES = scratchSamples(24);
const PROMPTS = [
  [65, 66, 67, 68],
  [70, 80, 90, 100, 110, 120, 75],
];
const DEMONSTRATIONS = PROMPTS.map((promptIds, i) => ({
  promptIds,
  completionIds: [97 + i, 98, 99, 110, 257],
}));

let root: string;
const server = scratchServer();
let connection: Connection;
let artifacts: ArtifactStore;
let engine: PolicyEngine;
/** The policies of each run by step. */
const policies: Record<'full' | 'lora', PolicyRef[]> = { full: [], lora: [] };

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-export-'));
  artifacts = await openFolderStore({
    artifacts: join(root, 'artifacts'),
    temporary: join(root, 'tmp'),
  });
  await writeTinyPolicy(join(root, 'base'));
  // What other programs read of a folder, and this one does not.
  await writeFile(join(root, 'base', 'generation_config.json'), '{"do_sample": false}\n');
  await writeFile(join(root, 'base', 'vocab.json'), '{}');
  const base = await importPolicyFolder(join(root, 'base'), artifacts);
  engine = createPolicyEngine({ artifacts, threads: 1 });
  connection = await server.migrated();
  for (const [run, trainable] of [
    ['full', FULL],
    ['lora', LORA],
  ] as const) {
    policies[run] = [base];
    const { mode, loraRank, loraAlpha, seed } = trainable;
    const config = { policy: join(root, 'base'), trainMode: mode, loraRank, loraAlpha, seed };
    await scratchRun(connection.db, run, SAMPLES, { ...config, trainBatchSize: 8 }, base);
    for (let step = 1; step <= 5; step++) await train(run, trainable, step);
  }
}, 240_000);
afterAll(async () => {
  await engine.close();
  await connection.close();
  await rm(root, { recursive: true, force: true });
});

/** One more step of a run, which commits its policy. */
async function train(run: 'full' | 'lora', trainable: TrainableOptions, step: number) {
  const { policy, tokens } = await supervise(policies[run].at(-1)!, trainable, 0.02);
  policies[run].push(policy);
  const checkpoint = { policy, optimizerSteps: 1, loss: 1, trainedTokens: tokens, seconds: 1 };
  await commitCheckpoint(connection.db, { run, step, slice: 0 }, checkpoint, artifacts);
}

async function supervise(policy: PolicyRef, trainable: TrainableOptions, learningRate: number) {
  const optimizer = {
    learningRate,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradNorm: 1,
  };
  const batches = [{ demonstrations: DEMONSTRATIONS, optimizer }];
  return engine.supervise({ policy, trainable, batches, microBatchTokens: 256 });
}

async function generate(
  policy: PolicyRef,
  trainable = FULL,
): Promise<readonly GeneratedCompletion[]> {
  return engine.generate({
    policy,
    trainable,
    prompts: PROMPTS.map((ids, i) => ({ ids, seeds: [10 * i, 10 * i + 1] })),
    sampling: { temperature: 1, topP: 1, maxNewTokens: 12 },
  });
}

let exports = 0;
async function exportOf(
  run: string,
  options: Omit<Parameters<typeof exportRun>[2], 'folder'> = {},
) {
  const folder = join(root, `export-${++exports}`);
  return exportRun({ db: connection.db, artifacts }, run, { folder, ...options });
}

async function tensorsOf(file: string): Promise<Map<string, MemoryTensor>> {
  return parseSafetensors(await readFile(file), file);
}

async function jsonOf(file: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
}

/** Completes the prompts as {@link generate} does, by what a server would load of a run. */
async function decoded(run: string, epoch: number): Promise<number[][]> {
  return artifacts.reading(async (files) =>
    decodedBy(await runPolicy({ db: connection.db, artifacts: files }, run, epoch)),
  );
}

async function decodedBy(policy: LoadablePolicy): Promise<number[][]> {
  const decoder = createDecoder({ ...policy, rows: 4, threads: 1 });
  const sampling = { temperature: 1, topP: 1, maxNewTokens: 12 };
  try {
    const all = await Promise.all(
      PROMPTS.map(async (ids, i) => {
        const request = { ids, seeds: [10 * i, 10 * i + 1], sampling, topLogprobs: 0 };
        return new Promise<number[][]>((resolve, reject) => {
          const made: number[][] = [[], []];
          let open = made.length;
          decoder.decode(request, {
            onFailure: reject,
            onTokens: (tokens) => {
              for (const { index, id, finishReason } of tokens) {
                made[index]!.push(id);
                if (finishReason !== null) open--;
              }
              if (open === 0) resolve(made);
            },
          });
        });
      }),
    );
    return all.flat();
  } finally {
    await decoder.close();
  }
}

it.each([
  ['full', FULL],
  ['lora', LORA],
] as const)(
  'a server loads the policy of an epoch without an export (%s)',
  async (run, trainable) => {
    const expected = await generate(policies[run][3]!, trainable);
    expect(await decoded(run, 1)).toEqual(expected.map(({ ids }) => ids));
    await expect(decoded(run, 3)).rejects.toThrow(/not come to/);
  },
);

describe('export of a run', { timeout: 120_000 }, () => {
  it.each([
    [undefined, { epoch: 2, step: 5, epochFinished: false }],
    [2, { epoch: 2, step: 5, epochFinished: false }],
    [1, { epoch: 1, step: 3, epochFinished: true }],
    [0, { epoch: 0, step: 0, epochFinished: true }],
  ])('takes the policy of epoch %s while the run is under way', async (epoch, expected) => {
    for (const [run, trainable] of [
      ['full', FULL],
      ['lora', LORA],
    ] as const) {
      const exported = await exportOf(run, { epoch });
      expect(exported).toMatchObject({ run, ...expected, format: 'hf', dtype: 'float32' });
      // As the policy engine writes it.
      const own = join(root, `engine-${++exports}`);
      const { sha256 } = await engine.export(policies[run][expected.step]!, trainable, own);
      expect(exported.policySha256).toBe(sha256);
      expect((await readdir(exported.folder)).sort()).toEqual((await readdir(own)).sort());
      for (const name of await readdir(own)) {
        const bytes = await readFile(join(exported.folder, name));
        expect(bytes.equals(await readFile(join(own, name)))).toBe(true);
      }
    }
  });

  it('refuses an epoch that is not there', async () => {
    await expect(exportOf('full', { epoch: 3 })).rejects.toMatchObject({
      code: 'not-found',
      exitCode: 2,
      message: expect.stringMatching(
        /full has not come to epoch 3: it is after step 5, in epoch 2 — write full@2, or/,
      ) as string,
    });
    await expect(exportOf('full', { epoch: 4 })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/full has 3 epochs, no epoch 4/) as string,
    });
    await expect(exportOf('nobody')).rejects.toMatchObject({ code: 'not-found' });
    expect((await readdir(root)).filter((name) => name.includes(`export-${exports}`))).toEqual([]);
  });

  it('takes the best evaluated policy, and says so when there is none', async () => {
    await expect(exportOf('lora', { epoch: 'best' })).rejects.toMatchObject({ code: 'not-found' });
    await connection.pool.query(`
      insert into evaluations (run, step, split, epoch, n, exact_match, exact_match_low, exact_match_high, reward,
        score_format, score_name, score_key, score_value, evaluation_seconds)
      select 'full', step, 'heldout', 1, 1, 0, 0, 1, reward, 0, 0, 0, 0, 0
      from (values (0, 4), (2, 3), (5, 1)) t (step, reward)`);
    const exported = await exportOf('full', { epoch: 'best' });
    expect(exported).toMatchObject({ epoch: 1, step: 2, epochFinished: false });
  });

  it('copies tokenizer, template and generation settings as they came', async () => {
    const { folder } = await exportOf('lora', { dtype: 'bfloat16' });
    expect((await readdir(folder)).sort()).toEqual((await readdir(join(root, 'base'))).sort());
    for (const name of [
      'tokenizer.json',
      'tokenizer_config.json',
      'generation_config.json',
      'vocab.json',
    ]) {
      const bytes = await readFile(join(folder, name));
      expect(bytes.equals(await readFile(join(root, 'base', name)))).toBe(true);
    }
  });

  it('rounds to bfloat16 and says so in config.json', async () => {
    const [exact, rounded] = [
      await exportOf('lora'),
      await exportOf('lora', { dtype: 'bfloat16' }),
    ];
    expect(await jsonOf(join(exact.folder, 'config.json'))).toMatchObject({
      torch_dtype: 'float32',
    });
    expect(await jsonOf(join(rounded.folder, 'config.json'))).toMatchObject({
      torch_dtype: 'bfloat16',
    });
    const numbers = await tensorsOf(join(exact.folder, 'model.safetensors'));
    for (const [name, { data }] of await tensorsOf(join(rounded.folder, 'model.safetensors'))) {
      const words = new Uint32Array((data as Float32Array).buffer);
      expect(words.every((word) => (word & 0xffff) === 0)).toBe(true);
      // Half a unit in the last of 8 places.
      const far = numbers
        .get(name)!
        .data.findIndex((x, i) => Math.abs(x - data[i]!) > 2 ** -8 * Math.abs(x));
      expect(far).toBe(-1);
    }
  });

  it("writes adapters with PEFT's names and settings, beside a tokenizer", async () => {
    const exported = await exportOf('lora', { format: 'peft' });
    expect(exported).toMatchObject({ step: 5, format: 'peft' });
    expect((await readdir(exported.folder)).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
      'vocab.json',
    ]);
    expect(await jsonOf(join(exported.folder, 'adapter_config.json'))).toMatchObject({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: join(root, 'base'),
      r: 4,
      lora_alpha: 6,
      bias: 'none',
      target_modules: ['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'],
      inference_mode: true,
    });
    const adapters = await tensorsOf(join(exported.folder, 'adapter_model.safetensors'));
    expect(adapters.size).toBe(2 * 7 * 2);
    const stem = 'base_model.model.model.layers.1.self_attn.k_proj';
    expect(adapters.get(`${stem}.lora_A.weight`)!.shape).toEqual([4, 32]);
    expect(adapters.get(`${stem}.lora_B.weight`)!.shape).toEqual([16, 4]);
  });

  it('writes adapters that make the merged weights of the base', async () => {
    const [hf, peft] = [await exportOf('lora'), await exportOf('lora', { format: 'peft' })];
    const files = await folderFiles(join(root, 'base'));
    const base = await loadBaseWeights(files, await readArchitecture(files));
    const merged = await tensorsOf(join(hf.folder, 'model.safetensors'));
    const adapters = await tensorsOf(join(peft.folder, 'adapter_model.safetensors'));
    let adapted = 0;
    for (const [name, { dims, data }] of base) {
      const stem = `base_model.model.${name.replace(/\.weight$/, '')}`;
      const [a, b] = [adapters.get(`${stem}.lora_A.weight`), adapters.get(`${stem}.lora_B.weight`)];
      const expected = Array.from(data, (weight, i) => {
        if (a === undefined || b === undefined) return weight;
        const [row, column] = [Math.floor(i / dims[1]!), i % dims[1]!];
        let sum = 0;
        for (let r = 0; r < 4; r++) sum += b.data[row * 4 + r]! * a.data[r * dims[1]! + column]!;
        return Math.fround(weight + (6 / 4) * sum);
      });
      if (a !== undefined) adapted++;
      const off = merged
        .get(name)!
        .data.findIndex((x, i) => Math.abs(x - expected[i]!) > 1e-6 * Math.abs(x) + 1e-7);
      expect([name, off]).toEqual([name, -1]);
    }
    expect(adapted).toBe(14);
  });

  it('gives a merged policy that scores and samples as the unmerged one', async () => {
    const trained = policies.lora.at(-1)!;
    const merged = await importPolicyFolder((await exportOf('lora')).folder, artifacts);
    expect(await generate(merged)).toEqual(await generate(trained, LORA));
    // The loss is the mean negative log-probability; the trainer keeps adapters apart, and at rate 0 it changes nothing.
    const apart = await supervise(trained, LORA, 0);
    const together = await supervise(merged, FULL, 0);
    expect(Math.abs(apart.meanLoss - together.meanLoss)).toBeLessThan(1e-5);
    const before = await supervise(policies.lora[0]!, FULL, 0);
    expect(before.meanLoss - apart.meanLoss).toBeGreaterThan(0.1);
  });

  it('writes adapters that change nothing before the first step', async () => {
    const { folder } = await exportOf('lora', { epoch: 0, format: 'peft' });
    for (const [name, { data }] of await tensorsOf(join(folder, 'adapter_model.safetensors'))) {
      expect(data.every((x) => x === 0)).toBe(name.endsWith('lora_B.weight'));
    }
  });

  it('refuses adapters of a run that trained all weights', async () => {
    await expect(exportOf('full', { format: 'peft' })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(
        /full trained all weights: it has no adapters — leave out/,
      ) as string,
    });
  });

  it('refuses a folder that holds something, and leaves it as it is', async () => {
    const folder = join(root, 'occupied');
    await mkdir(folder);
    await writeFile(join(folder, 'config.json'), 'mine');
    await expect(exportRun({ db: connection.db, artifacts }, 'full', { folder })).rejects.toThrow(
      'holds files already',
    );
    expect(await readdir(folder)).toEqual(['config.json']);
  });

  it('takes the next policy when the one it had chosen is deleted meanwhile', async () => {
    const chosen = policies.full.at(-1)!.weights!.sha256;
    let deleted = false;
    const store: ArtifactStore = {
      ...artifacts,
      reading: async (work) =>
        artifacts.reading(async (files) =>
          work({
            ...files,
            async path(ref) {
              if (ref.sha256 === chosen && !deleted) {
                deleted = true;
                await train('full', FULL, 6);
                await markPruned(connection.db, { run: 'full', step: 5, slice: 0 });
                await artifacts.delete(chosen);
              }
              return files.path(ref);
            },
          }),
        ),
    };
    const folder = join(root, 'raced');
    const exported = await exportRun({ db: connection.db, artifacts: store }, 'full', { folder });
    expect(deleted).toBe(true);
    expect(exported).toMatchObject({ step: 6, epoch: 2, epochFinished: true });
    // One that stays away is told.
    await artifacts.delete(policies.full.at(-1)!.weights!.sha256);
    await expect(exportOf('full')).rejects.toMatchObject({ code: 'not-found' });
  });
});

function expectSame(
  theirs: readonly (readonly number[])[],
  ours: readonly GeneratedCompletion[],
): void {
  expect(theirs.map((list) => list.length)).toEqual(ours.map(({ ids }) => ids.length));
  const gaps = ours.flatMap(({ logprobs }, i) =>
    logprobs.map((x, t) => Math.abs(x - theirs[i]![t]!)),
  );
  expect(Math.max(...gaps)).toBeLessThan(1e-4);
}

describe.skipIf(PYTHON === undefined)(
  'export, read by transformers and PEFT',
  { timeout: 300_000 },
  () => {
    const SCRIPT = fileURLToPath(new URL('../fixtures/transformers/logprobs.py', import.meta.url));

    async function python(
      args: readonly string[],
      completions: readonly GeneratedCompletion[],
    ): Promise<{ readonly dtype: string; readonly logprobs: readonly (readonly number[])[] }> {
      const child = spawn(PYTHON!, [SCRIPT, ...args], {
        stdio: ['pipe', 'pipe', 'ignore'],
        env: { ...process.env, HF_HUB_OFFLINE: '1' },
      });
      const ended = once(child, 'exit');
      child.stdin.end(
        JSON.stringify(
          completions.map(({ prompt, ids }) => ({ prompt: PROMPTS[prompt], completion: ids })),
        ),
      );
      const output = await textOf(child.stdout);
      expect(await ended).toEqual([0, null]);
      return JSON.parse(output) as Awaited<ReturnType<typeof python>>;
    }

    it('a Hugging Face folder has the same log-probabilities', async () => {
      const { folder } = await exportOf('full', { epoch: 1 });
      const ours = await generate(policies.full[3]!);
      const { dtype, logprobs } = await python([folder], ours);
      expect(dtype).toBe('torch.float32');
      expectSame(logprobs, ours);
    });

    it('merged adapters, adapters, and adapters that PEFT merges do too', async () => {
      const ours = await generate(policies.lora[5]!, LORA);
      const [hf, peft] = [await exportOf('lora'), await exportOf('lora', { format: 'peft' })];
      expectSame((await python([hf.folder], ours)).logprobs, ours);
      expectSame((await python([peft.folder, '--peft'], ours)).logprobs, ours);
      expectSame((await python([peft.folder, '--merged'], ours)).logprobs, ours);
    });

    it('a bfloat16 folder is one to transformers, and gives what it gives here', async () => {
      const { folder } = await exportOf('lora', { dtype: 'bfloat16' });
      const ours = await generate(await importPolicyFolder(folder, artifacts));
      const { dtype, logprobs } = await python([folder], ours);
      expect(dtype).toBe('torch.bfloat16');
      expectSame(logprobs, ours);
    });
  },
);
