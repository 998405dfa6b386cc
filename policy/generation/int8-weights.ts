import type { SessionData } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';

/** How 8-bit weights are stored: `uint8` with {@link WEIGHT_ZERO} for 0 where products of signed ones would overflow. */
export type WeightType = 'int8' | 'uint8';

/** What stands for 0 in `uint8`. */
export const WEIGHT_ZERO = 128;
const LARGEST = 127;
/** Rows of a matrix that are rounded together: as many as fill a line of the processor's cache in the transpose. */
const TILE = 64;

/** Matrices [out, in] that take the same activations: one product serves them all. */
export interface Int8Group {
  /** Names the group. */
  readonly name: string;
  /** Hugging Face names of its matrices, and how many rows each has. */
  readonly names: readonly string[];
  readonly rows: readonly number[];
  readonly columns: number;
  /** Whether activations have two bytes instead of one. */
  readonly twoBytes: boolean;
}

/** Names of the external initializers of a group: rounded and transposed [in, out], and what 1 stands for in each column [out]. */
export const valuesName = (group: string): string => `int8.${group}`;
export const scalesName = (group: string): string => `scales.${group}`;

/** Bytes of a matrix [out, in] in this form. */
export function int8Bytes([rows = 0, columns = 0]: readonly number[]): number {
  return rows * (columns + Float32Array.BYTES_PER_ELEMENT);
}

export interface Int8Matrix {
  readonly values: Int8Array | Uint8Array;
  readonly scales: Float32Array;
}

/**
 * Rounds matrices [out, in], one below the other, to [in, out] of 8-bit integers. Each of their rows has a scale of its own, with which its
 * largest weight is ±127.
 */
export function toInt8(
  matrices: readonly Float32Array[],
  columns: number,
  type: WeightType,
): Int8Matrix {
  const size = matrices.reduce((sum, { length }) => sum + length, 0);
  const values = type === 'int8' ? new Int8Array(size) : new Uint8Array(size);
  const zero = type === 'int8' ? 0 : WEIGHT_ZERO;
  const all = size / columns;
  const scales = new Float32Array(all);
  const factors = new Float32Array(TILE);
  let above = 0;
  for (const data of matrices) {
    const rows = data.length / columns;
    for (let first = 0; first < rows; first += TILE) {
      const tile = Math.min(TILE, rows - first);
      for (let j = 0; j < tile; j++) {
        const largest = largestOf(data, (first + j) * columns, columns);
        scales[above + first + j] = largest / LARGEST;
        factors[j] = largest === 0 ? 0 : LARGEST / largest;
      }
      for (let k = 0; k < columns; k++) {
        const to = k * all + above + first;
        for (let j = 0; j < tile; j++) {
          const scaled = data[(first + j) * columns + k]! * factors[j]!;
          // To nearest: what is cut off is of a positive number.
          values[to + j] = ((scaled + (WEIGHT_ZERO + 0.5)) | 0) - WEIGHT_ZERO + zero;
        }
      }
    }
    above += rows;
  }
  return { values, scales };
}

function largestOf(data: Float32Array, from: number, count: number): number {
  let largest = 0;
  for (let i = from; i < from + count; i++) {
    const size = Math.abs(data[i]!);
    if (size > largest) largest = size;
  }
  return largest;
}

/** The data of a session whose matrices are rounded. */
export function int8Data(
  groups: readonly Int8Group[],
  weights: Weights,
  type: WeightType,
): SessionData {
  const data = new Map<string, ArrayBufferView>();
  for (const { name, names, columns } of groups) {
    const matrices = names.map((each) => weights.get(each)!.data);
    const { values, scales } = toInt8(matrices, columns, type);
    data.set(valuesName(name), values);
    data.set(scalesName(name), scales);
  }
  return data;
}
