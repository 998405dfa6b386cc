import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { PolicyRef } from '../contracts/policy.ts';
import { VOCABULARY_SIZE, writeTokenizerFiles } from '../datasets/builtin/vocabulary.ts';
import { configJson } from '../policy/checkpoint/architecture.ts';
import { BUILTIN_POLICY } from '../policy/checkpoint/builtin-policy.ts';
import { importPolicyFolder, importTextFolder } from '../policy/checkpoint/import-policy.ts';
import { writePolicyFolder } from '../policy/checkpoint/write-folder.ts';
import { initialWeights } from '../policy/models/initial-weights.ts';
import type { ModelTraits } from '../policy/models/model-traits.ts';

/** Context of a random policy at least; RoPE costs nothing. */
const RANDOM_CONTEXT = 256;

/**
 * Takes the policy that a run starts from into the store.
 *
 * @throws ToolsampleError `config`, `not-found`, `checkpoint` or `tokenizer` when it cannot be used
 */
export async function startingPolicy(config: RunConfig, store: ArtifactStore): Promise<PolicyRef> {
  if (config.backend === 'tinker') return importTextFolder(config.policy, store);
  if (config.policy === 'builtin') return importPolicyFolder(BUILTIN_POLICY, store);
  if (config.policy !== 'random') return importPolicyFolder(config.policy, store);
  // There, what a killed attempt leaves is removed like any unfinished artifact.
  const folder = await store.temporaryPath();
  try {
    await mkdir(folder, { mode: 0o700 });
    await writeRandomPolicy(config, folder);
    return await importPolicyFolder(join(folder, 'policy'), store);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeRandomPolicy(config: RunConfig, folder: string): Promise<void> {
  const { randomPolicy, seed } = config;
  if (randomPolicy.vocabularySize < VOCABULARY_SIZE) {
    throw new ToolsampleError(
      'config',
      `${randomPolicy.vocabularySize} tokens are fewer than the built-in tokenizer has`,
      {
        at: { field: 'random_policy.vocabulary_size' },
        hint: `use at least ${VOCABULARY_SIZE}`,
      },
    );
  }
  const traits: ModelTraits = {
    hidden: randomPolicy.hiddenSize,
    layers: randomPolicy.layers,
    heads: randomPolicy.heads,
    kvHeads: randomPolicy.keyValueHeads,
    headDim: randomPolicy.hiddenSize / randomPolicy.heads,
    ffn: randomPolicy.intermediateSize,
    vocab: randomPolicy.vocabularySize,
    ropeTheta: 10_000,
    rmsEps: 1e-5,
    tied: true,
  };
  const parts = join(folder, 'parts');
  await mkdir(parts);
  await writeTokenizerFiles(parts);
  const architecture = {
    modelType: 'llama',
    traits,
    contextLength: Math.max(RANDOM_CONTEXT, config.maxPromptLength + config.maxCompletionLength),
    eosIds: [await endTokenId(parts)],
  };
  await writeFile(join(parts, 'config.json'), configJson(architecture));
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
  const paths = Object.fromEntries(names.map((name) => [name, join(parts, name)]));
  await writePolicyFolder(join(folder, 'policy'), { paths }, traits, initialWeights(traits, seed));
}

async function endTokenId(folder: string): Promise<number> {
  const read = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(join(folder, name), 'utf8'));
  const { eos_token: end } = (await read('tokenizer_config.json')) as { eos_token: string };
  const { model } = (await read('tokenizer.json')) as {
    model: { vocab: { [token: string]: number } };
  };
  const id = model.vocab[end];
  if (id === undefined) throw new Error(`the built-in tokenizer lacks its end token ${end}`);
  return id;
}
