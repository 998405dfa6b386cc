import { mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ToolsampleError, type ErrorCode } from '../../contracts/errors.ts';
import { loadBaseWeights, readArchitecture } from '../../policy/checkpoint/base-weights.ts';
import { folderFiles, manifestFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { openSafetensors, writeSafetensors } from '../../policy/checkpoint/safetensors.ts';
import { writePolicyFolder } from '../../policy/checkpoint/write-folder.ts';
import type { Weights, WeightTensor } from '../../policy/models/initial-weights.ts';
import { EMBEDDING, HEAD } from '../../policy/models/model-traits.ts';
import { openFolderStore, type FolderStore } from '../../services/artifacts/folder-store.ts';
import { TINY, writeTinyPolicy } from './support/tiny-policy.ts';

let root: string;
let folder: string;
let store: FolderStore;
let weights: Weights;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-checkpoint-'));
  store = await openFolderStore({
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

const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;

/** As two shards: the second has one tensor, or those that `more` names too. */
async function shard(more: readonly string[] = []): Promise<void> {
  const [first, second] = SHARDS;
  await rewrite((tensors) => tensors.delete(QUERY), first);
  await rewrite((tensors) => {
    for (const name of tensors.keys()) {
      if (name !== QUERY && !more.includes(name)) tensors.delete(name);
    }
  }, second);
  await rm(join(folder, WEIGHTS), { force: true });
  await writeIndex((name) => (name === QUERY ? second : first));
}
async function writeIndex(place: (tensor: string) => string): Promise<void> {
  const map = Object.fromEntries([...weights.keys()].map((name) => [name, place(name)]));
  await writeFile(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: { total_size: 1 }, weight_map: map }),
  );
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

  it('reads 16-bit weights', async () => {
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
  });

  it('reads sharded weights, and leaves alone what the index does not name', async () => {
    await shard();
    await writeFile(join(folder, 'model-00003-of-00003.safetensors'), 'of another checkpoint');
    const { base } = await importPolicyFolder(folder, store);
    const files = await manifestFiles(base, store);
    expect(Object.keys(files.paths).filter((name) => name.includes('-of-'))).toEqual([...SHARDS]);
    expect([...(await loadBaseWeights(files, TINY))]).toEqual([...weights]);
  });

  it('reads a tied head that is written twice', async () => {
    await rewrite((tensors) => tensors.set(HEAD, tensors.get(EMBEDDING)!));
    const { base } = await importPolicyFolder(folder, store);
    const loaded = await loadBaseWeights(await manifestFiles(base, store), TINY);
    expect([...loaded]).toEqual([...weights]);
  });

  it('refuses shards that are missing, name a foreign file, or overlap', async () => {
    await shard();
    await rm(join(folder, SHARDS[1]));
    const missing = /index\.json: names a file that is not there: "model-00002-of-00002/;
    await expect(importPolicyFolder(folder, store)).rejects.toThrow(missing);
    // The index forgot it as well: the tensor itself is missed.
    await writeIndex(() => SHARDS[0]);
    const incomplete = /model-00001.*field ".*q_proj\.weight": tensor is missing/;
    await expect(importPolicyFolder(folder, store)).rejects.toThrow(incomplete);
    await writeIndex(() => '../../etc/passwd');
    await expect(importPolicyFolder(folder, store)).rejects.toThrow(/names a file that is not/);

    await shard(['model.norm.weight']);
    const twice =
      /model-00002.*"model\.norm\.weight": tensor is in model-00001-of-00002\.safetensors/;
    await expect(importPolicyFolder(folder, store)).rejects.toThrow(twice);
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
      'a head of its own where it is said to be tied',
      async () =>
        rewrite((tensors) => {
          const { dims, data } = tensors.get(EMBEDDING)!;
          tensors.set(HEAD, { dims, data: data.with(3, 7) });
        }),
      'checkpoint',
      /lm_head\.weight": differs from the embedding, to which config\.json says it is tied — set tie_word_embeddings to false/,
    ],
    [
      'layers without end',
      async () => configure({ num_hidden_layers: 16_777_216 }),
      'checkpoint',
      /field "num_hidden_layers": 16777216 layers are more than any model has/,
    ],
    [
      'a context without end',
      async () => configure({ max_position_embeddings: 16_777_216 }),
      'checkpoint',
      /field "max_position_embeddings": 16777216 tokens are more than are supported, 2097152/,
    ],
    [
      'an unknown architecture',
      async () => configure({ model_type: 'qwen3_moe' }),
      'checkpoint',
      /^config\.json, field "model_type": unknown architecture "qwen3_moe" — known architectures: llama, qwen2, qwen3$/,
    ],
    [
      'rotary scaling of another kind',
      async () => configure({ rope_scaling: { type: 'yarn', factor: 8 } }),
      'checkpoint',
      /rotary scaling "yarn" is not supported \(only "linear" and "llama3"\) — use another/,
    ],
    [
      'rotary scaling without its numbers',
      async () => configure({ rope_parameters: { rope_type: 'llama3', factor: 8 } }),
      'checkpoint',
      /field "low_freq_factor": must be a positive number, not undefined/,
    ],
    [
      'rotary positions on a part of a head',
      async () => configure({ rope_parameters: { partial_rotary_factor: 0.5 } }),
      'checkpoint',
      /field "rope_parameters": rotary positions on a part of each head are not supported/,
    ],
    [
      'biases of another family',
      async () => configure({ attention_bias: true }),
      'checkpoint',
      /field "attention_bias": true means biases on all four projections of attention, which is not supported/,
    ],
    [
      'sliding windows',
      async () => configure({ model_type: 'qwen2', use_sliding_window: true }),
      'checkpoint',
      /field "use_sliding_window": true means sliding-window attention, which is not supported/,
    ],
    [
      'layers of several kinds',
      async () => configure({ layer_types: ['full_attention', 'sliding_attention'] }),
      'checkpoint',
      /field "layer_types": only "full_attention" is supported/,
    ],
    [
      'a family whose tensors are missing',
      async () => configure({ model_type: 'qwen3', head_dim: 8 }),
      'checkpoint',
      /field "model\.layers\.0\.self_attn\.q_norm\.weight": tensor is missing/,
    ],
    [
      'quantised weights',
      async () => configure({ quantization_config: { bits: 4 } }),
      'checkpoint',
      /quantised checkpoints cannot be trained/,
    ],
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
