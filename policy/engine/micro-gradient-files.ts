import type { ArtifactRef } from '../../contracts/artifacts.ts';
import { openTensors } from '../checkpoint/load-tensors.ts';
import {
  headerChunks,
  storedBytes,
  writeChunks,
  type StoredTensor,
} from '../checkpoint/safetensors.ts';
import { MICRO_BATCH_NUMBERS, type MicroGradient } from '../training/gradient-shards.ts';

type TensorsOfMicro = Readonly<Record<keyof MicroGradient, StoredTensor>>;

/** The tensors of each micro-batch in the file of its shard: its gradient, flat, and its numbers. */
function tensorsOf(count: number, size: number): TensorsOfMicro[] {
  return Array.from({ length: count }, (_, i) => ({
    gradient: { name: `gradient.${i}`, shape: [size], dtype: 'F32' },
    numbers: { name: `numbers.${i}`, shape: [MICRO_BATCH_NUMBERS], dtype: 'F32' },
  }));
}

function inOrder(tensors: readonly TensorsOfMicro[]): StoredTensor[] {
  return tensors.flatMap(({ gradient, numbers }) => [gradient, numbers]);
}

/**
 * Writes the gradients of a shard's micro-batches, hashed and flushed: each is written before the next is asked for.
 * What is at `path` after an error is to be removed.
 * @param count how many `micros` yields
 * @param size numbers of a gradient: of all tensors that train
 * @throws ToolsampleError `disk-full`, or what `micros` throws
 */
export async function writeMicroGradients(
  path: string,
  count: number,
  size: number,
  micros: AsyncIterable<MicroGradient>,
): Promise<ArtifactRef> {
  const tensors = tensorsOf(count, size);
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield* headerChunks(inOrder(tensors), {});
    let written = 0;
    for await (const { gradient, numbers } of micros) {
      const stored = tensors[written++];
      if (stored === undefined) break;
      yield storedBytes(stored.gradient, gradient);
      yield storedBytes(stored.numbers, numbers);
    }
    // The header would speak of others.
    if (written !== count) throw new Error(`not ${count} gradients`);
  };
  return writeChunks(path, chunks());
}

/**
 * Reads the gradients of shards, file by file: each when it is asked for.
 * @param size numbers of a gradient: of all tensors that train
 * @throws ToolsampleError `checkpoint` when a file holds something else, `not-found` when there is none
 */
export async function* readMicroGradients(
  files: readonly { readonly path: string; readonly microBatches: number }[],
  size: number,
): AsyncGenerator<MicroGradient> {
  for (const { path, microBatches } of files) {
    const tensors = tensorsOf(microBatches, size);
    const expected = inOrder(tensors).map(({ name, shape }) => ({ name, dims: shape }));
    const file = await openTensors(path, expected, 'gradients');
    try {
      for (const { gradient, numbers } of tensors) {
        yield {
          gradient: (await file.read(gradient.name)).data,
          numbers: (await file.read(numbers.name)).data,
        };
      }
    } finally {
      await file.close();
    }
  }
}
