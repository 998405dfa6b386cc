import { createHash } from 'node:crypto';
import { headerChunks, storedBytes, writeChunks, type StoredTensor } from './safetensors.ts';

/** A tensor whose numbers are fetched only when it is their turn to be written. */
interface StreamedTensor extends StoredTensor {
  readonly dtype: 'F32' | 'BF16';
  readonly read: () => Promise<Float32Array>;
}

/**
 * Writes the bytes that `writeSafetensors` writes, with one tensor in memory at a time.
 * @returns the file's SHA-256, lower-case hexadecimal
 * @throws ToolsampleError `disk-full`, or what reading a tensor throws
 */
export async function streamSafetensors(
  path: string,
  tensors: readonly StreamedTensor[],
  metadata: { readonly [key: string]: string },
): Promise<{ readonly sha256: string }> {
  const hash = createHash('sha256');
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (const chunk of headerChunks(tensors, metadata)) {
      hash.update(chunk);
      yield chunk;
    }
    for (const tensor of tensors) {
      const bytes = storedBytes(tensor, await tensor.read());
      hash.update(bytes);
      yield bytes;
    }
  };
  await writeChunks(path, chunks());
  return { sha256: hash.digest('hex') };
}
