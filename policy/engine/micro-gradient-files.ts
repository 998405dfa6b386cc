import type { ArtifactRef } from '../../contracts/artifacts.ts';
import { loadTensors } from '../checkpoint/load-tensors.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import { MICRO_BATCH_NUMBERS, type MicroGradient } from '../training/gradient-shards.ts';

/** Names of the tensors of a micro-batch: its gradient, flat, and its numbers. */
const gradientOf = (index: number): string => `gradient.${index}`;
const numbersOf = (index: number): string => `numbers.${index}`;

/** Writes the gradients of a shard's micro-batches, hashed and flushed. */
export async function writeMicroGradients(
  path: string,
  micros: readonly MicroGradient[],
): Promise<ArtifactRef> {
  const tensors = micros.flatMap(({ gradient, numbers }, i) => [
    { name: gradientOf(i), shape: [gradient.length], data: gradient },
    { name: numbersOf(i), shape: [numbers.length], data: numbers },
  ]);
  return writeSafetensors(path, tensors);
}

/**
 * Reads them.
 * @param size numbers of a gradient: of all tensors that train
 * @throws ToolsampleError `checkpoint` when the file holds something else
 */
export async function readMicroGradients(
  path: string,
  count: number,
  size: number,
): Promise<MicroGradient[]> {
  const expected = Array.from({ length: count }, (_, i) => [
    { name: gradientOf(i), dims: [size] },
    { name: numbersOf(i), dims: [MICRO_BATCH_NUMBERS] },
  ]).flat();
  const tensors = await loadTensors(path, expected, 'gradients');
  const read = (name: string): Float32Array => tensors.get(name)?.data ?? new Float32Array();
  return Array.from({ length: count }, (_, i) => ({
    gradient: read(gradientOf(i)),
    numbers: read(numbersOf(i)),
  }));
}
