import type { ArtifactRef } from '../../contracts/artifacts.ts';
import { headerChunks, storedBytes, writeChunks, type StoredTensor } from './safetensors.ts';

/** A tensor whose numbers are fetched only when it is their turn to be written. */
interface StreamedTensor extends StoredTensor {
  readonly dtype: 'F32' | 'BF16';
  readonly read: () => Promise<Float32Array>;
}

/**
 * Writes the bytes that `writeSafetensors` writes, with one tensor in memory at a time.
 * @returns what was written
 * @throws ToolsampleError `disk-full`, or what reading a tensor throws
 */
export async function streamSafetensors(
  path: string,
  tensors: readonly StreamedTensor[],
  metadata: { readonly [key: string]: string },
): Promise<ArtifactRef> {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield* headerChunks(tensors, metadata);
    for (const tensor of tensors) yield storedBytes(tensor, await tensor.read());
  };
  return writeChunks(path, chunks());
}
