import { createHash } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactRef, ArtifactStore } from '../contracts/artifacts.ts';
import { manifestFiles } from '../policy/checkpoint/checkpoint-files.ts';
import type { TinkerClient } from './client.ts';
import { ServiceRefusal } from './refusal.ts';
import type { SavedWeights } from './saved-weights.ts';
import type { RequestOptions } from './transport.ts';

/** The adapters as the service hands them out: a packed folder that PEFT reads. */
const ARCHIVE = 'adapter.tar.gz';
/** Where the weights lie at the service. */
const PLACE = 'tinker.json';

/**
 * Writes what there is of a service's policy into a new folder: the tokenizer's files, `tinker.json` with the paths at the service, and,
 * where the service hands them out, the adapters as it packs them. Its hash is that of the adapters, else of `tinker.json`.
 */
export async function exportSaved(
  client: TinkerClient,
  base: ArtifactRef,
  saved: SavedWeights | null,
  artifacts: ArtifactStore,
  folder: string,
  options: RequestOptions,
): Promise<{ readonly sha256: string }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await artifacts.reading(async (files) => {
    for (const [name, path] of Object.entries((await manifestFiles(base, files)).paths)) {
      await copyFile(path, join(folder, name));
    }
  });
  const archive = saved === null ? null : await download(client, saved, options);
  const place = JSON.stringify({ ...saved, adapters: archive === null ? null : ARCHIVE }, null, 2);
  await writeFile(join(folder, PLACE), `${place}\n`);
  if (archive !== null) await writeFile(join(folder, ARCHIVE), archive);
  return {
    sha256: createHash('sha256')
      .update(archive ?? place)
      .digest('hex'),
  };
}

/** Null where the service does not hand it out: a run must not fail at its end for that. */
async function download(
  client: TinkerClient,
  { sampler }: SavedWeights,
  options: RequestOptions,
): Promise<Uint8Array | null> {
  const { model, name } =
    /^tinker:\/\/(?<model>[^/]+)\/(.+\/)?(?<name>[^/]+)$/.exec(sampler)?.groups ?? {};
  if (model === undefined || name === undefined) return null;
  const call = `training_runs/${encodeURIComponent(model)}/checkpoints/${encodeURIComponent(name)}/archive`;
  try {
    return await client.file(call, options);
  } catch (error) {
    if (error instanceof ServiceRefusal) return null;
    throw error;
  }
}
