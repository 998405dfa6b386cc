import { emitOne, integers, type Tensor } from './graph.ts';
import { add, less, where } from './operations.ts';

/**
 * `x` unchanged, but not before all of `others` are computed.
 *
 * ONNX Runtime runs operations in an order that follows from the graph alone and merges equal ones, so what is to be
 * computed a second time, later, would be computed early and once. A copy that waits for something is neither early nor equal.
 * Only the sizes of `others` are looked at: their values, infinite ones too, cannot touch `x`.
 * (ONNX Runtime 1.30 folds `Shape` where sizes are known, but not `Size`.)
 * @param others at least one.
 */
export function after(x: Tensor, others: readonly Tensor[]): Tensor {
  const { graph } = x;
  const sizes = others.map((other) =>
    emitOne(graph, 'Size', [other], { type: 'int64', shape: [] }),
  );
  const [first, ...rest] = sizes;
  if (first === undefined) throw new Error('there must be something to wait for');
  const size = rest.reduce((sum, each) => add(sum, each), first);
  // Always true, which no optimiser can know. (A scalar condition, seen as one element.)
  const present = less(integers(graph, [-1]), size);
  return where(present, x, x.type === 'int64' ? integers(graph, [0]) : 0);
}

/**
 * Rows [start, end) of `table` [V, ...], copied once all of `others` are computed. Work that goes through a table in pieces, one
 * after the other, holds one piece at a time that way.
 */
export function rowsAfter(
  table: Tensor,
  start: number,
  end: number,
  others: readonly Tensor[],
): Tensor {
  const { graph } = table;
  const from = after(integers(graph, [start]), others);
  const spec = { type: table.type, shape: table.shape.with(0, end - start) };
  return emitOne(graph, 'Slice', [table, from, integers(graph, [end]), integers(graph, [0])], spec);
}
