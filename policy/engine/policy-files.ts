import { resolve } from 'node:path';
import type { ArtifactReader, ArtifactRef } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { PolicyRef, TrainableOptions } from '../../contracts/policy.ts';
import { folderFiles, manifestFiles } from '../checkpoint/checkpoint-files.ts';
import type { ArtifactFile, PolicyFiles } from './thread-protocol.ts';

/** A policy that can be loaded: its files, and what its trained tensors are. */
export interface LoadablePolicy {
  readonly files: PolicyFiles;
  readonly trainable: TrainableOptions;
}

/** A policy of the store as files. @throws ToolsampleError `not-found` or `corrupt-artifact` from the store */
export async function policyFiles(
  policy: PolicyRef,
  artifacts: ArtifactReader,
  need: 'weights' | 'weights and optimizer',
): Promise<PolicyFiles> {
  if (policy.weights === null && policy.optimizer !== null) {
    throw new ToolsampleError('schema', 'a policy reference has an optimiser but no weights');
  }
  return {
    baseSha256: policy.base.sha256,
    base: await manifestFiles(policy.base, artifacts),
    weights: await artifactFile(policy.weights, artifacts),
    optimizer: need === 'weights' ? null : await artifactFile(policy.optimizer, artifacts),
  };
}

/** An artifact of the store as a file; null where there is none. @throws ToolsampleError as {@link policyFiles} */
export async function artifactFile(
  ref: ArtifactRef | null,
  artifacts: ArtifactReader,
): Promise<ArtifactFile | null> {
  return ref === null ? null : { sha256: ref.sha256, path: await artifacts.path(ref) };
}

/**
 * The policy in a Hugging Face folder, which stays where it is: not to be changed before it is loaded.
 * @throws ToolsampleError `not-found` without such a folder, `checkpoint` when a necessary file is missing
 */
export async function folderPolicy(folder: string): Promise<LoadablePolicy> {
  const path = resolve(folder);
  const files = { baseSha256: path, base: await folderFiles(path), weights: null, optimizer: null };
  // Nothing was trained: there are no weights that these would tell of.
  return { files, trainable: { mode: 'full', loraRank: 1, loraAlpha: 1, seed: 0 } };
}
