import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TINY, writeTinyPolicy } from '../unit/support/tiny-policy.ts';

/** Writes a Qwen3 with random weights as a Hugging Face folder: small enough to be trained on any machine, in fp32 on either side. */
export async function writeTinyQwen3(folder: string): Promise<void> {
  const traits = { ...TINY.traits, qkNorm: true };
  await writeTinyPolicy(folder, { ...TINY, modelType: 'qwen3', traits });
  await edit(join(folder, 'config.json'), (config) => ({ ...config, torch_dtype: 'float32' }));
  // transformers would else take it for Qwen2's, and its tokens for texts.
  await edit(join(folder, 'tokenizer_config.json'), (config) => ({
    ...config,
    eos_token: '</s>',
    tokenizer_class: 'PreTrainedTokenizerFast',
  }));
}

async function edit(path: string, change: (json: object) => object): Promise<void> {
  const json = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify(change(json)));
}
