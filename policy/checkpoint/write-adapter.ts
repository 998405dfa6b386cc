import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Weights } from '../models/initial-weights.ts';
import { COMPANION_FILES, type CheckpointFiles } from './checkpoint-files.ts';
import { streamSafetensors } from './stream-safetensors.ts';
import { WEIGHTS_METADATA, writeCompanion, type StoredType } from './write-folder.ts';
import { writeWholeFile } from './whole-file.ts';

/** LoRA's adapters, and what a reader has to know about them. */
export interface StoredAdapter {
  readonly rank: number;
  readonly alpha: number;
  /** By our names, `model.layers.0.self_attn.q_proj.lora_A.weight`. */
  readonly tensors: Weights;
  /** Folder of the policy that they adapt; null when there is none. */
  readonly basePolicy: string | null;
}

/** A PEFT folder describes its base by name; the base's own configuration would make it look like a whole model. */
const NOT_IN_ADAPTER = ['config.json', 'generation_config.json'];

/**
 * Writes a folder in PEFT's form: `adapter_config.json`, the base's tokenizer and chat template, and last
 * `adapter_model.safetensors`. Each file appears whole or not at all; writing again gives the same bytes.
 * @returns SHA-256 of `adapter_model.safetensors`, lower-case hexadecimal
 * @throws ToolsampleError `disk-full`
 */
export async function writeAdapterFolder(
  folder: string,
  companions: CheckpointFiles,
  adapter: StoredAdapter,
  dtype: StoredType = 'F32',
): Promise<{ readonly sha256: string }> {
  await mkdir(folder, { recursive: true });
  for (const name of COMPANION_FILES) {
    if (!NOT_IN_ADAPTER.includes(name)) await writeCompanion(folder, name, companions);
  }
  const config = `${JSON.stringify(adapterConfig(adapter), null, 2)}\n`;
  await writeWholeFile(join(folder, 'adapter_config.json'), (part) => writeFile(part, config));
  const tensors = [...adapter.tensors].map(([name, { dims, data }]) => ({
    name: `base_model.model.${name}`,
    shape: dims,
    dtype,
    read: async () => data,
  }));
  return writeWholeFile(join(folder, 'adapter_model.safetensors'), (part) =>
    streamSafetensors(part, tensors, WEIGHTS_METADATA),
  );
}

function adapterConfig({ rank, alpha, tensors, basePolicy }: StoredAdapter): object {
  const modules = [...tensors.keys()].map((name) => name.split('.').at(-3) ?? name);
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: basePolicy,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    bias: 'none',
    target_modules: [...new Set(modules)].sort(),
    modules_to_save: null,
    fan_in_fan_out: false,
    use_rslora: false,
    use_dora: false,
    init_lora_weights: true,
    inference_mode: true,
  };
}
