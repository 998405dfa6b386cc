import type { Tensor as Value } from 'onnxruntime-node';
import { ToolsampleError } from '../../contracts/errors.ts';
import { floats } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { elementCount, totalElements } from '../models/model-traits.ts';

export interface FlatSpec {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Tensors in one array, matrices first: an optimiser sees a flat vector, a graph sees named tensors, and nothing is copied. */
export interface FlatTensors {
  readonly data: Float32Array;
  /** Elements of the matrices; vectors lie behind them. */
  readonly matrixElements: number;
  /** Views into `data`, as feeds and fetches. */
  readonly values: ReadonlyMap<string, Value>;
  readonly views: ReadonlyMap<
    string,
    { readonly dims: readonly number[]; readonly data: Float32Array }
  >;
}

/** Zeros for the tensors of `specs`. */
export function allocateFlat(specs: readonly FlatSpec[]): FlatTensors {
  const matrices = specs.filter((spec) => spec.dims.length >= 2);
  const vectors = specs.filter((spec) => spec.dims.length < 2);
  const matrixElements = totalElements(matrices);
  const data = new Float32Array(matrixElements + totalElements(vectors));
  const views = new Map<string, { dims: readonly number[]; data: Float32Array }>();
  const values = new Map<string, Value>();
  let offset = 0;
  for (const { name, dims } of [...matrices, ...vectors]) {
    const view = data.subarray(offset, offset + elementCount(dims));
    offset += view.length;
    views.set(name, { dims, data: view });
    values.set(name, floats(view, dims));
  }
  return { data, matrixElements, values, views };
}

/**
 * Copies named tensors into their places.
 * @throws ToolsampleError `checkpoint` when one is missing or has another shape.
 */
export function fillFlat(flat: FlatTensors, weights: Weights, prefix = ''): void {
  for (const [name, view] of flat.views) {
    const given = weights.get(prefix + name);
    if (given === undefined || given.dims.join() !== view.dims.join()) {
      const problem =
        given === undefined
          ? 'the tensor is missing'
          : `shape [${given.dims.join(', ')}] instead of [${view.dims.join(', ')}]`;
      throw new ToolsampleError('checkpoint', problem, { at: { field: prefix + name } });
    }
    view.data.set(given.data);
  }
}
