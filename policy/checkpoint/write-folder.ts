import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Weights, WeightTensor } from '../models/initial-weights.ts';
import { tensorSpecs, type ModelTraits } from '../models/model-traits.ts';
import { COMPANION_FILES, SINGLE_WEIGHTS, type CheckpointFiles } from './checkpoint-files.ts';
import { streamSafetensors } from './stream-safetensors.ts';
import { writeWholeFile } from './whole-file.ts';

export type StoredType = 'F32' | 'BF16';

/** transformers asks for it. */
export const WEIGHTS_METADATA = { format: 'pt' };

/** Gives a tensor when it is written. */
type TensorSource = (name: string) => Promise<WeightTensor>;

/**
 * Writes a HF folder: the companions of another checkpoint (config, tokenizer, chat template) and one `model.safetensors`.
 * Each file appears whole or not at all, the weights last; writing again gives the same bytes.
 * @param weights all tensors, or what fetches one: then a single one is in memory at a time
 * @returns SHA-256 of `model.safetensors`, lower-case hexadecimal
 * @throws ToolsampleError `disk-full`
 */
export async function writePolicyFolder(
  folder: string,
  companions: CheckpointFiles,
  traits: ModelTraits,
  weights: Weights | TensorSource,
  dtype: StoredType = 'F32',
): Promise<{ readonly sha256: string }> {
  const fetch = typeof weights === 'function' ? weights : inMemory(weights);
  const tensors = tensorSpecs(traits).map(({ name, dims }) => ({
    name,
    shape: dims,
    dtype,
    read: async () => (await fetch(name)).data,
  }));
  await mkdir(folder, { recursive: true });
  for (const name of COMPANION_FILES) {
    await writeCompanion(folder, name, companions, (bytes) =>
      name === 'config.json' ? stating(dtype, bytes) : bytes,
    );
  }
  return writeWholeFile(join(folder, SINGLE_WEIGHTS), (part) =>
    streamSafetensors(part, tensors, WEIGHTS_METADATA),
  );
}

function inMemory(weights: Weights): TensorSource {
  return async (name) => {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new Error(`no weights for ${name}`);
    return tensor;
  };
}

/** Writes a companion file, changed or as it came; none of that name where the checkpoint has none. */
export async function writeCompanion(
  folder: string,
  name: (typeof COMPANION_FILES)[number],
  { paths }: CheckpointFiles,
  change: (bytes: Uint8Array) => Uint8Array | string = (bytes) => bytes,
): Promise<void> {
  const path = join(folder, name);
  const source = paths[name];
  if (source === undefined) {
    await rm(path, { force: true });
    return;
  }
  // Not copied: an artifact may be read by its owner alone, and changed by nobody.
  const content = change(await readFile(source));
  await writeWholeFile(path, (part) => writeFile(part, content));
}

/** A config.json that states the type of the weights beside it: readers convert to what it says. */
function stating(dtype: StoredType, bytes: Uint8Array): string {
  const config = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  const type = dtype === 'F32' ? 'float32' : 'bfloat16';
  config['torch_dtype'] = type;
  if (config['dtype'] !== undefined) config['dtype'] = type;
  return `${JSON.stringify(config, null, 2)}\n`;
}
