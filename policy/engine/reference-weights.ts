import type { TrainableOptions } from '../../contracts/policy.ts';
import type { Weights } from '../models/initial-weights.ts';
import { loadTrained, trainableKey, type LoadedBase, type PolicyMemory } from './policy-memory.ts';
import type { ArtifactFile, PolicyFiles } from './thread-protocol.ts';

/**
 * The trained tensors of the policy that KL is measured to, as the trainer takes them: read once, then found. Without a file none, and what was
 * there is forgotten: training needs the memory.
 *
 * @throws ToolsampleError `checkpoint` when a tensor is missing or has another shape
 */
export async function takeReference(
  memory: PolicyMemory,
  base: LoadedBase,
  { baseSha256 }: PolicyFiles,
  trainable: TrainableOptions,
  file: ArtifactFile | null,
): Promise<{ readonly reference?: Weights }> {
  const key = file && [baseSha256, file.sha256, trainableKey(trainable)].join();
  if (memory.reference?.key !== key) memory.reference = null;
  if (file === null || key === null) return {};
  memory.reference ??= { key, weights: await loadTrained(base, file, trainable) };
  return { reference: memory.reference.weights };
}
