import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ArtifactRef } from '../../contracts/artifacts.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16 } from './float-formats.ts';
import {
  checkpointError,
  headerLength,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.ts';

/** A tensor in memory: fp32 numbers, or 32-bit integers (token ids). Row-major. */
export interface MemoryTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

type StoredDtype = 'F32' | 'BF16' | 'I32';

/** How a tensor lies in a file. */
export interface StoredTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
}

/** A tensor to write; `BF16` rounds fp32 numbers to nearest. */
export interface WritableTensor extends MemoryTensor {
  readonly name: string;
  /** Default: F32 for numbers, I32 for integers. */
  readonly dtype?: StoredDtype;
}

/** An open safetensors file whose header has been checked; tensors are read one at a time. */
export interface SafetensorsReader {
  /** File name for messages. */
  readonly label: string;
  readonly header: SafetensorsHeader;
  /**
   * Reads one tensor, converted: F32, F16 and BF16 to fp32.
   * @throws ToolsampleError `checkpoint` when absent, of a type that is not read, or cut off.
   */
  read(name: string): Promise<MemoryTensor>;
  close(): Promise<void>;
}

/**
 * Opens a file and checks its header ({@link parseHeader}).
 * @param label name to show in messages instead of the file's own (artifacts are named by hash)
 * @throws ToolsampleError `checkpoint`, or `not-found` when there is no such file
 */
export async function openSafetensors(
  path: string,
  label = basename(path),
): Promise<SafetensorsReader> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new ToolsampleError('not-found', 'cannot be opened', { at: { file: path }, cause });
  });
  try {
    const status = await file.stat();
    if (!status.isFile()) throw checkpointError(label, 'is not a file');
    const { size } = status;
    const prefix = await readBytes(file, 0, Math.min(8, size), label);
    const length = headerLength(prefix, size, label);
    const header = parseHeader(await readBytes(file, 8, length, label), size, label);
    return {
      label,
      header,
      read: async (name) => {
        const entry = findEntry(header, name, label);
        return decodeTensor(entry, await readBytes(file, entry.offset, entry.bytes, label), label);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Reads all tensors of a small safetensors blob, e.g. an artifact. @throws ToolsampleError `checkpoint` */
export function parseSafetensors(bytes: Uint8Array, label: string): Map<string, MemoryTensor> {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, label);
  const header = parseHeader(bytes.subarray(8, 8 + length), bytes.length, label);
  const tensors = new Map<string, MemoryTensor>();
  for (const entry of header.entries.values()) {
    // Typed arrays need aligned, private memory; a Buffer's own slice() would be a view of what is there.
    const data = new Uint8Array(bytes.subarray(entry.offset, entry.offset + entry.bytes));
    tensors.set(entry.name, decodeTensor(entry, data, label));
  }
  return tensors;
}

/** The file's bytes in pieces (header first), without copying fp32 data. Same tensors, same order: same bytes. */
function safetensorsChunks(
  tensors: readonly WritableTensor[],
  metadata: { readonly [key: string]: string },
): Uint8Array[] {
  const typed = tensors.map((tensor) => ({
    ...tensor,
    dtype:
      tensor.dtype ?? (tensor.data instanceof Int32Array ? ('I32' as const) : ('F32' as const)),
  }));
  return [
    ...headerChunks(typed, metadata),
    ...typed.map((tensor) => storedBytes(tensor, tensor.data)),
  ];
}

/** What comes before the data: the header's length, and the header. */
export function headerChunks(
  tensors: readonly StoredTensor[],
  metadata: { readonly [key: string]: string },
): Uint8Array[] {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header['__metadata__'] = metadata;
  let offset = 0;
  for (const { name, shape, dtype } of tensors) {
    const end = offset + elements(shape) * (dtype === 'BF16' ? 2 : 4);
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  let json = JSON.stringify(header);
  json += ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const body = new TextEncoder().encode(json);
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, BigInt(body.length), true);
  return [head, body];
}

/** A tensor's data as they lie in a file. */
export function storedBytes(
  { name, shape, dtype }: StoredTensor,
  data: Float32Array | Int32Array,
): Uint8Array {
  if (data.length !== elements(shape)) throw new Error(`${name} has ${data.length} elements`);
  const stored = dtype === 'BF16' && data instanceof Float32Array ? float32ToBfloat16(data) : data;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** A whole small file in memory. */
export function safetensorsBytes(
  tensors: readonly WritableTensor[],
  metadata: { readonly [key: string]: string } = {},
): Uint8Array {
  return Buffer.concat(safetensorsChunks(tensors, metadata));
}

/**
 * Writes a file and flushes it to disk.
 * @returns what was written: its hash is computed on the way, while the disk is busy.
 * @throws ToolsampleError `disk-full`
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly WritableTensor[],
  metadata: { readonly [key: string]: string } = {},
): Promise<ArtifactRef> {
  return writeChunks(path, safetensorsChunks(tensors, metadata));
}

/**
 * Writes a file from its pieces and flushes it to disk.
 * @returns what was written: its hash is computed on the way, while the disk is busy.
 * @throws ToolsampleError `disk-full`
 */
export async function writeChunks(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<ArtifactRef> {
  try {
    const file = await open(path, 'w');
    try {
      const hash = createHash('sha256');
      let bytes = 0;
      // One flush at a time is under way meanwhile, so that the disk starts long before the last byte.
      let flush: Promise<unknown> | null = null;
      let failure: unknown = null;
      for await (const chunk of chunks) {
        for (const piece of pieces(chunk)) {
          const writing = writeAll(file, piece);
          hash.update(piece);
          bytes += piece.length;
          await writing;
          flush ??= file.datasync().then(
            () => (flush = null),
            (error: unknown) => (failure = error),
          );
        }
      }
      await flush;
      // A failed flush is told once: the last one would succeed.
      if (failure !== null) throw failure;
      await file.sync();
      return { sha256: hash.digest('hex'), bytes };
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    throw new ToolsampleError('disk-full', 'no space left while writing weights', {
      at: { file: path },
      hint: 'free some space and resume; nothing that was finished is lost',
      cause,
    });
  }
}

/** Written and hashed at a time. */
const PIECE = 1 << 23;

function* pieces(chunk: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < chunk.length; from += PIECE) yield chunk.subarray(from, from + PIECE);
}

// One read call takes at most 2 GiB.
const MAX_IO = 1 << 30;

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

async function readBytes(
  file: FileHandle,
  position: number,
  length: number,
  label: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const step = Math.min(MAX_IO, length - done);
    const { bytesRead } = await file.read(bytes, done, step, position + done);
    if (bytesRead === 0) throw checkpointError(label, `cut off at byte ${position + done}`);
    done += bytesRead;
  }
  return bytes;
}

function findEntry(header: SafetensorsHeader, name: string, label: string): TensorEntry {
  const entry = header.entries.get(name);
  if (entry !== undefined) return entry;
  throw checkpointError(label, 'tensor is missing', name, 'is the checkpoint complete?');
}

function decodeTensor(entry: TensorEntry, bytes: Uint8Array, label: string): MemoryTensor {
  const count = elements(entry.shape);
  const { buffer, byteOffset } = bytes;
  switch (entry.dtype) {
    case 'F32':
      return { shape: entry.shape, data: new Float32Array(buffer, byteOffset, count) };
    case 'I32':
      return { shape: entry.shape, data: new Int32Array(buffer, byteOffset, count) };
    case 'F16':
    case 'BF16': {
      const data = new Float32Array(count);
      const convert = entry.dtype === 'F16' ? float16ToFloat32 : bfloat16ToFloat32;
      convert(new Uint16Array(buffer, byteOffset, count), data);
      return { shape: entry.shape, data };
    }
    default:
      throw checkpointError(
        label,
        `type ${entry.dtype} is not supported`,
        entry.name,
        'use F32, F16 or BF16 (quantised checkpoints cannot be trained)',
      );
  }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
