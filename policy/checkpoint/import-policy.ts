import { constants } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import type { ArtifactRef, ArtifactStore } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { BaseManifest, PolicyRef } from '../../contracts/policy.ts';
import { readPolicyText } from '../text/policy-text.ts';
import { loadBaseWeights, readArchitecture } from './base-weights.ts';
import {
  folderFiles,
  isCompanion,
  SHARD_INDEX,
  SINGLE_WEIGHTS,
  weightFiles,
  type CheckpointFiles,
} from './checkpoint-files.ts';

/**
 * Takes a HF folder into the store, once it has proved usable: known architecture, all tensors there, of the right shape
 * and finite, a tokenizer that fits. The same folder always gives the same reference.
 *
 * Reads all weights (0.5 s for 135M parameters, bf16).
 * @throws ToolsampleError `not-found`, `checkpoint` or `tokenizer`: one line that names file and tensor
 */
export async function importPolicyFolder(folder: string, store: ArtifactStore): Promise<PolicyRef> {
  const files = await folderFiles(folder);
  const architecture = await readArchitecture(files);
  await readPolicyText(files);
  await loadBaseWeights(files, architecture);
  const single = files.paths[SINGLE_WEIGHTS] !== undefined;
  const names = [
    ...Object.keys(files.paths).filter(isCompanion),
    ...(single ? [] : [SHARD_INDEX]),
    ...(await weightFiles(files)),
  ].sort();
  return putManifest(files, names, store);
}

/**
 * Takes the text side of a HF folder into the store: tokenizer, template, `config.json`, of any architecture. The weights lie elsewhere.
 * @throws ToolsampleError `not-found`, `checkpoint` or `tokenizer`
 */
export async function importTextFolder(folder: string, store: ArtifactStore): Promise<PolicyRef> {
  const files = await folderFiles(folder, 'text');
  await readPolicyText(files);
  return putManifest(files, Object.keys(files.paths).filter(isCompanion).sort(), store);
}

async function putManifest(
  files: CheckpointFiles,
  names: readonly string[],
  store: ArtifactStore,
): Promise<PolicyRef> {
  const manifest: Record<string, ArtifactRef> = {};
  for (const name of names) {
    const path = files.paths[name]!;
    manifest[name] = name.endsWith('.safetensors')
      ? await putCopy(path, store)
      : await store.put(await readFile(path));
  }
  const bytes = JSON.stringify({ files: manifest } satisfies BaseManifest);
  const base = await store.put(new TextEncoder().encode(bytes));
  return { base, weights: null, optimizer: null };
}

async function putCopy(path: string, store: ArtifactStore): Promise<ArtifactRef> {
  const copy = await store.temporaryPath();
  try {
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
    throw new ToolsampleError('disk-full', 'no space left while copying the policy', {
      at: { file: path },
      hint: 'free some space and start again',
      cause,
    });
  }
  return store.putFile(copy);
}
