import { z } from 'zod';
import { checkValue } from '../contracts/checked-value.ts';
import type { ArtifactRef, ArtifactStore } from '../contracts/artifacts.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { savedAnswer } from './answers.ts';

/** What a training service has saved of a policy at one instant. Its artifact is what a checkpoint names: the weights stay there. */
export interface SavedWeights {
  /** The service's name for the model beneath. */
  readonly baseModel: string;
  readonly loraRank: number;
  /** `tinker://…` of weights and optimiser state, to go on training from. */
  readonly training: string;
  /** `tinker://…` of weights to sample from. */
  readonly sampler: string;
}

const path = () => savedAnswer.shape.path;
const savedWeights = z.strictObject({
  kind: z.literal('tinker-weights'),
  baseModel: z.string().min(1),
  loraRank: z.int().min(1),
  training: path(),
  sampler: path(),
});

/** Stores where a policy lies. */
export async function putSavedWeights(
  saved: SavedWeights,
  store: ArtifactStore,
): Promise<ArtifactRef> {
  const { baseModel, loraRank, training, sampler } = saved;
  const kind = 'tinker-weights';
  const text = JSON.stringify({ kind, baseModel, loraRank, training, sampler }, null, 2);
  return store.put(new TextEncoder().encode(`${text}\n`));
}

/** @throws ToolsampleError `schema` when the artifact is no such thing, or the store's errors */
export async function readSavedWeights(
  ref: ArtifactRef,
  store: ArtifactStore,
): Promise<SavedWeights> {
  const text = new TextDecoder().decode(await store.get(ref));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  const { data } = checkValue(savedWeights, value);
  if (data !== undefined) return data;
  throw new ToolsampleError('schema', 'these weights are not those of a training service', {
    at: { file: ref.sha256 },
  });
}
