import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTokenizerFiles } from '../datasets/builtin/vocabulary.ts';
import { configJson } from '../policy/checkpoint/architecture.ts';
import { writePolicyFolder } from '../policy/checkpoint/write-folder.ts';
import type { BenchModel } from './models.ts';

/** Id of the built-in tokenizer's end token, which a policy has to have. */
const END_TOKEN = 1;

/** Gives a model as a HF folder, for peers and for the engine: its own, or one written into `scratch`, once. */
export function createModelFolders(scratch: string): (model: BenchModel) => Promise<string> {
  const written = new Map<string, Promise<string>>();
  return async (model) => {
    if (model.folder !== undefined) return model.folder;
    const known =
      written.get(model.name) ?? writeFolder(model, join(scratch, `model-${written.size}`));
    written.set(model.name, known);
    return known;
  };
}

/** A folder that both can load. The tokenizer is the built-in one: a policy needs some, and no text goes in or out. */
async function writeFolder(model: BenchModel, folder: string): Promise<string> {
  const parts = `${folder}-parts`;
  await mkdir(parts, { recursive: true });
  await writeTokenizerFiles(parts);
  const { traits, weights } = model;
  const architecture = {
    modelType: 'llama',
    traits,
    contextLength: Math.max(2048, model.contextLength),
    eosIds: [END_TOKEN],
  };
  await writeFile(join(parts, 'config.json'), configJson(architecture));
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
  const paths = Object.fromEntries(names.map((name) => [name, join(parts, name)]));
  await writePolicyFolder(folder, { paths }, traits, weights);
  return folder;
}
