import { ToolsampleError } from '../contracts/errors.ts';
import {
  parseSafetensors,
  safetensorsBytes,
  type WritableTensor,
} from '../policy/checkpoint/safetensors.ts';

/** Lists of token ids of unequal length, by name: all lists of a name have one length of entries. */
export type NamedLists = { readonly [name: string]: readonly (readonly number[])[] };
/** Plain vectors by name. */
export type NamedVectors = { readonly [name: string]: readonly number[] };

export interface RaggedArtifact {
  readonly lists: NamedLists;
  readonly integers: NamedVectors;
  /** fp32. */
  readonly numbers: NamedVectors;
}

const OFFSETS = '_offsets';

/** Lists of unequal length as one safetensors blob, end to end, each name with its offsets. Same content, same bytes. */
export function encodeRagged({ lists, integers, numbers }: RaggedArtifact): Uint8Array {
  const tensors: WritableTensor[] = [];
  const add = (name: string, data: Int32Array | Float32Array): void => {
    tensors.push({ name, shape: [data.length], data });
  };
  for (const [name, each] of Object.entries(lists)) {
    add(name, Int32Array.from(each.flat()));
    add(`${name}${OFFSETS}`, Int32Array.from(offsets(each)));
  }
  for (const [name, each] of Object.entries(integers)) add(name, Int32Array.from(each));
  for (const [name, each] of Object.entries(numbers)) add(name, Float32Array.from(each));
  return safetensorsBytes(tensors);
}

export interface RaggedReader {
  vector(name: string): number[];
  lists(name: string): number[][];
}

/**
 * Reads what {@link encodeRagged} wrote.
 *
 * @param label - Names the artifact in messages.
 * @throws ToolsampleError `checkpoint`, `corrupt-artifact`
 */
export function decodeRagged(bytes: Uint8Array, label: string): RaggedReader {
  const tensors = parseSafetensors(bytes, label);
  const vector = (name: string): number[] => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw corruptArtifact(label, name);
    return [...tensor.data];
  };
  return { vector, lists: (name) => cut(vector(name), vector(`${name}${OFFSETS}`)) };
}

/** An artifact whose content is not what its row promises. */
export function corruptArtifact(label: string, field: string): ToolsampleError {
  return new ToolsampleError('corrupt-artifact', 'does not hold what its row promises', {
    at: { file: label, field },
    hint: 'was the artifact changed by hand?',
  });
}

/** Cuts values that lie end to end. */
export function cut(values: readonly number[], bounds: readonly number[]): number[][] {
  return bounds.slice(1).map((end, i) => values.slice(bounds[i], end));
}

function offsets(lists: readonly (readonly number[])[]): number[] {
  const bounds = [0];
  for (const list of lists) bounds.push((bounds.at(-1) ?? 0) + list.length);
  return bounds;
}
