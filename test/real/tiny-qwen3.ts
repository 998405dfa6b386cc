import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TINY, writeTinyPolicy } from '../unit/support/tiny-policy.ts';

/** Writes a Qwen3 with random weights as a Hugging Face folder: small enough to be trained on any machine, in fp32 on either side. */
export async function writeTinyQwen3(folder: string): Promise<void> {
  const traits = { ...TINY.traits, qkNorm: true };
  await writeTinyPolicy(folder, { ...TINY, modelType: 'qwen3', traits });
  const path = join(folder, 'config.json');
  await writeFile(path, (await readFile(path, 'utf8')).replace('bfloat16', 'float32'));
}
