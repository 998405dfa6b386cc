import { createHash } from 'node:crypto';
import { copyFile, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { Weights } from '../models/initial-weights.ts';
import { tensorSpecs, type LlamaTraits } from '../models/llama-traits.ts';
import { COMPANION_FILES, SINGLE_WEIGHTS, type CheckpointFiles } from './checkpoint-files.ts';
import { safetensorsChunks, writeSafetensors } from './safetensors.ts';

export type StoredType = 'F32' | 'BF16';

/**
 * Writes a HF folder: the companions of another checkpoint (config, tokenizer, chat template) and one `model.safetensors`.
 * Each file appears whole or not at all, the weights last; writing again gives the same bytes.
 * @returns SHA-256 of `model.safetensors`, lower-case hexadecimal
 * @throws ToolsampleError `disk-full`
 */
export async function writePolicyFolder(
  folder: string,
  companions: CheckpointFiles,
  traits: LlamaTraits,
  weights: Weights,
  dtype: StoredType = 'F32',
): Promise<{ readonly sha256: string }> {
  const tensors = tensorSpecs(traits).map(({ name, dims }) => {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new Error(`no weights for ${name}`);
    return { name, shape: dims, data: tensor.data, dtype };
  });
  await mkdir(folder, { recursive: true });
  for (const name of COMPANION_FILES) {
    const source = companions.paths[name];
    const path = join(folder, name);
    if (source === undefined) await rm(path, { force: true });
    else if (name !== 'config.json') await appear(path, (part) => copyFile(source, part));
    else await appear(path, async (part) => writeFile(part, await configOf(source, dtype)));
  }
  const metadata = { format: 'pt' };
  const path = join(folder, SINGLE_WEIGHTS);
  await appear(path, (part) => writeSafetensors(part, tensors, metadata));
  const hash = createHash('sha256');
  for (const chunk of safetensorsChunks(tensors, metadata)) hash.update(chunk);
  return { sha256: hash.digest('hex') };
}

/** A config.json that states the type of the weights beside it: readers convert to what it says. */
async function configOf(source: string, dtype: StoredType): Promise<string> {
  const config = JSON.parse(await readFile(source, 'utf8')) as Record<string, unknown>;
  const type = dtype === 'F32' ? 'float32' : 'bfloat16';
  config['torch_dtype'] = type;
  if (config['dtype'] !== undefined) config['dtype'] = type;
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Writes under a temporary name, flushes, renames. */
async function appear(path: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${path}.partial`;
  try {
    await write(part);
    const file = await open(part, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (cause) {
    await rm(part, { force: true });
    if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
    throw new ToolsampleError('disk-full', 'no space left', {
      at: { file: path },
      hint: 'free some space and resume',
      cause,
    });
  }
}
