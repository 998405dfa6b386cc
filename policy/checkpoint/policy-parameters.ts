import type { ArtifactRef, ArtifactStore } from '../../contracts/artifacts.ts';
import { elementCount, tensorSpecs } from '../models/llama-traits.ts';
import { readArchitecture } from './base-weights.ts';
import { manifestFiles } from './checkpoint-files.ts';

/** How many parameters the policy behind a base manifest has; a tied table counts once. @throws as `manifestFiles` does */
export async function policyParameters(base: ArtifactRef, store: ArtifactStore): Promise<number> {
  const { traits } = await readArchitecture(await manifestFiles(base, store));
  return tensorSpecs(traits).reduce((sum, { dims }) => sum + elementCount(dims), 0);
}
