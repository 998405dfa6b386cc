import { mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import { ToolsampleError, type ErrorCode } from '../../contracts/errors.ts';
import { configJson, parseArchitecture } from '../../policy/checkpoint/architecture.ts';
import { loadBaseWeights, readArchitecture } from '../../policy/checkpoint/base-weights.ts';
import { folderFiles, manifestFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { openSafetensors, writeSafetensors } from '../../policy/checkpoint/safetensors.ts';
import { writePolicyFolder } from '../../policy/checkpoint/write-folder.ts';
import type { Weights, WeightTensor } from '../../policy/models/initial-weights.ts';
import { openArtifactStore } from '../../services/artifact-store.ts';
import { TINY, writeTinyPolicy } from './support/tiny-policy.ts';

let root: string;
let folder: string;
let store: ArtifactStore;
let weights: Weights;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-checkpoint-'));
  store = await openArtifactStore({
    artifacts: join(root, 'artifacts'),
    temporary: join(root, 'tmp'),
  });
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  folder = join(root, 'policy');
  await rm(folder, { recursive: true, force: true });
  weights = await writeTinyPolicy(folder);
});

const WEIGHTS = 'model.safetensors';
const QUERY = 'model.layers.1.self_attn.q_proj.weight';

/** Writes the weights again, changed. */
async function rewrite(
  change: (tensors: Map<string, WeightTensor>) => void,
  file = WEIGHTS,
): Promise<void> {
  const tensors = new Map(weights);
  change(tensors);
  const list = [...tensors].map(([name, { dims, data }]) => ({ name, shape: dims, data }));
  await writeSafetensors(join(folder, file), list);
}
async function configure(changes: Record<string, unknown>): Promise<void> {
  const path = join(folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...config, ...changes }));
}

describe('checkpoint', () => {
  it('loads from the store what the folder held', async () => {
    const { base } = await importPolicyFolder(folder, store);
    const files = await manifestFiles(base, store);
    const architecture = await readArchitecture(files);
    expect(architecture).toEqual(TINY);
    const loaded = await loadBaseWeights(files, architecture);
    expect([...loaded]).toEqual([...weights]);
  });

  it('reads 16-bit and sharded weights', async () => {
    const short = join(root, 'short');
    const files = await folderFiles(folder);
    await writePolicyFolder(short, files, TINY.traits, weights, 'BF16');
    const reader = await openSafetensors(join(short, WEIGHTS));
    expect(reader.header.entries.get(QUERY)!.dtype).toBe('BF16');
    await reader.close();
    const rounded = await loadBaseWeights(await folderFiles(short), TINY);
    for (const [name, { data }] of weights) {
      const worst = data.reduce(
        (most, x, i) => Math.max(most, Math.abs(x - rounded.get(name)!.data[i]!) / Math.abs(x)),
        0,
      );
      expect(worst).toBeLessThanOrEqual(2 ** -8);
    }

    const [first, second] = [1, 2].map((i) => `model-0000${i}-of-00002.safetensors`) as [
      string,
      string,
    ];
    await rewrite((tensors) => tensors.delete(QUERY), first);
    await rewrite((tensors) => {
      for (const name of tensors.keys()) if (name !== QUERY) tensors.delete(name);
    }, second);
    await rm(join(folder, WEIGHTS));
    const map = Object.fromEntries(
      [...weights.keys()].map((name) => [name, name === QUERY ? second : first]),
    );
    const index = join(folder, 'model.safetensors.index.json');
    await writeFile(index, JSON.stringify({ weight_map: map }));
    const { base } = await importPolicyFolder(folder, store);
    expect([...(await loadBaseWeights(await manifestFiles(base, store), TINY))]).toEqual([
      ...weights,
    ]);
    await writeFile(index, JSON.stringify({ weight_map: { x: '../../etc/passwd' } }));
    await expect(importPolicyFolder(folder, store)).rejects.toThrow(
      /names a file that is not there/,
    );
  });

  it('reads what it writes about an architecture, in older and newer spelling', async () => {
    expect(parseArchitecture(configJson(TINY))).toEqual(TINY);
    const config = JSON.parse(configJson(TINY)) as Record<string, unknown>;
    delete config['head_dim'];
    delete config['rope_theta'];
    config['rope_parameters'] = { rope_theta: 500_000, rope_type: 'default' };
    config['eos_token_id'] = 257;
    expect(parseArchitecture(JSON.stringify(config))).toEqual({
      ...TINY,
      traits: { ...TINY.traits, ropeTheta: 500_000 },
    });
  });

  const table: [string, () => Promise<unknown>, ErrorCode, RegExp][] = [
    [
      'weights cut off',
      async () => truncate(join(folder, WEIGHTS), 60_000),
      'checkpoint',
      /^model\.safetensors, field ".*": cut off: this tensor ends at byte \d+, the file has 60000/,
    ],
    [
      'a missing tensor',
      async () => rewrite((tensors) => tensors.delete(QUERY)),
      'checkpoint',
      /field "model\.layers\.1\.self_attn\.q_proj\.weight": tensor is missing/,
    ],
    [
      'a tensor of the wrong shape',
      async () =>
        rewrite((tensors) => {
          tensors.set(QUERY, { dims: [32, 16], data: new Float32Array(512) });
        }),
      'checkpoint',
      /q_proj\.weight": shape is \[32, 16\], config\.json asks for \[32, 32\]/,
    ],
    [
      'a NaN',
      async () =>
        rewrite((tensors) => {
          const { dims, data } = tensors.get(QUERY)!;
          tensors.set(QUERY, { dims, data: data.with(77, NaN) });
        }),
      'checkpoint',
      /q_proj\.weight": holds NaN at element 77/,
    ],
    [
      'a tensor that the architecture does not have',
      async () =>
        rewrite((tensors) => {
          tensors.set('model.layers.0.self_attn.q_proj.bias', {
            dims: [32],
            data: new Float32Array(32),
          });
        }),
      'checkpoint',
      /q_proj\.bias": unknown tensor/,
    ],
    [
      'an unknown architecture',
      async () => configure({ model_type: 'mamba' }),
      'checkpoint',
      /^config\.json, field "model_type": unknown architecture "mamba" — known architectures: llama$/,
    ],
    [
      'rotary scaling',
      async () => configure({ rope_scaling: { rope_type: 'llama3', factor: 8 } }),
      'checkpoint',
      /rotary scaling "llama3" is not supported/,
    ],
    ['biases', async () => configure({ attention_bias: true }), 'checkpoint', /biases/],
    ['another activation', async () => configure({ hidden_act: 'gelu' }), 'checkpoint', /"gelu"/],
    [
      'heads that do not divide',
      async () => configure({ num_key_value_heads: 3 }),
      'checkpoint',
      /3 does not divide the 4 attention heads/,
    ],
    ['a hostile size', async () => configure({ vocab_size: 1e30 }), 'checkpoint', /vocab_size/],
    [
      'a config that is not JSON',
      async () => writeFile(join(folder, 'config.json'), '{'),
      'checkpoint',
      /^config\.json: is not valid JSON/,
    ],
    [
      'no weights',
      async () => rename(join(folder, WEIGHTS), join(folder, 'pytorch_model.bin')),
      'checkpoint',
      /model\.safetensors: file is missing/,
    ],
    [
      'a tokenizer of another policy',
      async () => configure({ vocab_size: 256 }),
      'tokenizer',
      /tokenizer\.json: token .* but the policy's vocabulary has 256 ids/,
    ],
    ['no folder', async () => rm(folder, { recursive: true }), 'not-found', /no such folder/],
  ];
  it.each(table)('refuses %s in one line', async (_what, spoil, code, message) => {
    await spoil();
    const error: unknown = await importPolicyFolder(folder, store).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ToolsampleError);
    expect((error as ToolsampleError).message).toMatch(message);
    expect((error as ToolsampleError).message).not.toContain('\n');
    expect(error).toMatchObject({ code, exitCode: 2, retryable: false });
  });
});
