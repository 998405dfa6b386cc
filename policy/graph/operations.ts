import { emit, emitOne, integers, scalar, withGradient, type Tensor } from './graph.ts';
import type { Dimension } from './onnx-format.ts';

/*
 * The operations that models, losses and optimisers are written with: each emits one ONNX node and infers the result's shape.
 * Those that autodiff can pass through have a rule in ../autodiff/vjp-rules.ts.
 */

/** The dimension at `axis`, negative axes counted from the end. */
export function dimension(x: Tensor, axis: number): Dimension {
  const found = x.shape.at(axis);
  if (found === undefined) throw new Error(`${x.name} has no axis ${axis}`);
  return found;
}

function broadcast(a: readonly Dimension[], b: readonly Dimension[]): Dimension[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new Error(`shapes [${a.join()}] and [${b.join()}] do not broadcast`);
  });
}

type Operand = Tensor | number;

function operands(a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a !== 'number') return [a, typeof b === 'number' ? scalar(a.graph, b) : b];
  if (typeof b !== 'number') return [scalar(b.graph, a), b];
  throw new Error('one operand at least must be a tensor');
}

function binary(opType: string, a: Operand, b: Operand, type?: 'bool'): Tensor {
  const [x, y] = operands(a, b);
  const shape = broadcast(x.shape, y.shape);
  return emitOne(x.graph, opType, [x, y], { type: type ?? x.type, shape });
}

function unary(opType: string, x: Tensor): Tensor {
  return emitOne(x.graph, opType, [x], { type: x.type, shape: x.shape });
}

export const add = (a: Operand, b: Operand): Tensor => binary('Add', a, b);
export const sub = (a: Operand, b: Operand): Tensor => binary('Sub', a, b);
export const mul = (a: Operand, b: Operand): Tensor => binary('Mul', a, b);
export const div = (a: Operand, b: Operand): Tensor => binary('Div', a, b);
export const minimum = (a: Operand, b: Operand): Tensor => binary('Min', a, b);
export const maximum = (a: Operand, b: Operand): Tensor => binary('Max', a, b);
export const less = (a: Operand, b: Operand): Tensor => binary('Less', a, b, 'bool');
export const lessOrEqual = (a: Operand, b: Operand): Tensor => binary('LessOrEqual', a, b, 'bool');
export const and = (a: Tensor, b: Tensor): Tensor => binary('And', a, b, 'bool');

export const neg = (x: Tensor): Tensor => unary('Neg', x);
export const abs = (x: Tensor): Tensor => unary('Abs', x);
export const exp = (x: Tensor): Tensor => unary('Exp', x);
export const log = (x: Tensor): Tensor => unary('Log', x);
export const sqrt = (x: Tensor): Tensor => unary('Sqrt', x);
export const sigmoid = (x: Tensor): Tensor => unary('Sigmoid', x);

/** x · sigmoid(x), in one pass. */
export function silu(x: Tensor): Tensor {
  return emitOne(x.graph, 'QuickGelu', [x], { type: x.type, shape: x.shape }, { alpha: 1 });
}

/** 1 where `x` is true, 0 elsewhere. */
export function toFloat(x: Tensor): Tensor {
  return emitOne(x.graph, 'Cast', [x], { type: 'float32', shape: x.shape }, { to: 1n });
}

/** A copy that autodiff does not look behind. */
export function stopGradient(x: Tensor): Tensor {
  const made = unary('Identity', x);
  x.graph.producers.delete(made.name);
  return made;
}

/** `x` limited to [low, high]; the gradient passes within, ends included. */
export function clip(x: Tensor, low: Tensor | number, high: Tensor | number): Tensor {
  const { graph } = x;
  const bound = (b: Tensor | number): Tensor => (typeof b === 'number' ? scalar(graph, b) : b);
  return emitOne(graph, 'Clip', [x, bound(low), bound(high)], { type: x.type, shape: x.shape });
}

export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const [x, y] = operands(a, b);
  const shape = broadcast(condition.shape, broadcast(x.shape, y.shape));
  return emitOne(x.graph, 'Where', [condition, x, y], { type: x.type, shape });
}

export interface MatMulOptions {
  /** Transpose the last two axes of a, of b. */
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Factor of the product. */
  readonly alpha?: number;
}

/** alpha · op(a) · op(b) over the last two axes: [..., M, K] × [..., K, N] → [..., M, N]. */
export function matMul(a: Tensor, b: Tensor, options: MatMulOptions = {}): Tensor {
  const { transA = false, transB = false, alpha = 1 } = options;
  const rows = dimension(a, transA ? -1 : -2);
  const columns = dimension(b, transB ? -2 : -1);
  const shape = [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns];
  const attributes = { transA: transA ? 1n : 0n, transB: transB ? 1n : 0n, alpha };
  return emitOne(a.graph, 'FusedMatMul', [a, b], { type: a.type, shape }, attributes);
}

/** As {@link matMul} for two matrices; `c`, if given, is added ([M, N]). */
export function gemm(a: Tensor, b: Tensor, options: MatMulOptions = {}, c?: Tensor): Tensor {
  const { transA = false, transB = false, alpha = 1 } = options;
  const shape = [dimension(a, transA ? 1 : 0), dimension(b, transB ? 0 : 1)];
  const attributes = { transA: transA ? 1n : 0n, transB: transB ? 1n : 0n, alpha };
  const inputs = c === undefined ? [a, b] : [a, b, c];
  return emitOne(a.graph, 'Gemm', inputs, { type: a.type, shape }, attributes);
}

/**
 * `target` is ONNX's: 0 keeps the axis at that place, one −1 takes what is left.
 * `shape` is the result's symbolic shape (needed where `target` has −1 or 0 cannot say it).
 */
export function reshape(x: Tensor, target: readonly number[], shape: readonly Dimension[]): Tensor {
  return emitOne(x.graph, 'Reshape', [x, integers(x.graph, target)], { type: x.type, shape });
}

/**
 * Gives `x` the shape of `like`. With a constant target where one can say it: asking for `like`'s shape at run time
 * would keep `like` in memory until then.
 */
export function reshapeBack(x: Tensor, like: Tensor): Tensor {
  const target = like.shape.map((d, i) => (typeof d === 'number' ? d : x.shape[i] === d ? 0 : -1));
  if (target.filter((d) => d === -1).length <= 1) return reshape(x, target, like.shape);
  return emitOne(x.graph, 'Reshape', [x, shapeOf(like)], { type: x.type, shape: like.shape });
}

/** The shape at run time, a vector of integers. */
export function shapeOf(x: Tensor): Tensor {
  return emitOne(x.graph, 'Shape', [x], { type: 'int64', shape: [x.shape.length] });
}

export function transpose(x: Tensor, order: readonly number[]): Tensor {
  const shape = order.map((axis) => dimension(x, axis));
  return emitOne(x.graph, 'Transpose', [x], { type: x.type, shape }, { perm: order });
}

/** Copies of `x` one after another along `axis`. */
export function concat(parts: readonly Tensor[], axis: number, size: Dimension): Tensor {
  const [first] = parts;
  if (first === undefined) throw new Error('concat needs a tensor');
  const shape = first.shape.with(axis, size);
  return emitOne(first.graph, 'Concat', parts, { type: first.type, shape }, { axis: BigInt(axis) });
}

/** A part of `x` along `axis`, from `start` up to `end` (both int64 [1], counted from 0); `size` is its length. */
export function slice(
  x: Tensor,
  axis: number,
  { start, end, size }: { readonly start: Tensor; readonly end: Tensor; readonly size: Dimension },
): Tensor {
  const spec = { type: x.type, shape: x.shape.with(axis, size) };
  return emitOne(x.graph, 'Slice', [x, start, end, integers(x.graph, [axis])], spec);
}

/** The length of `x` along an axis at run time, int64 [1]. `axis`: int64 [1]. */
export function lengthOf(x: Tensor, axis: Tensor): Tensor {
  return gather(shapeOf(x), axis);
}

/** `x` with zeros before and after it along an axis, in the shape of `like`. All numbers int64 [1]. */
export function padTo(
  x: Tensor,
  like: Tensor,
  {
    axis,
    before,
    after,
  }: { readonly axis: Tensor; readonly before: Tensor; readonly after: Tensor },
): Tensor {
  const zeros = concat([before, after], 0, 2);
  const spec = { type: x.type, shape: like.shape };
  return emitOne(x.graph, 'Pad', [x, zeros, scalar(x.graph, 0), axis], spec);
}

/** Rows of `table` by number: [V, ...] and indices [...] → [indices..., ...]. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  const shape = [...indices.shape, ...table.shape.slice(1)];
  return emitOne(
    table.graph,
    'Gather',
    [table, indices],
    { type: table.type, shape },
    { axis: 0n },
  );
}

/** x[r, columns[r]] for x [R, V] and columns [R, 1] → [R, 1]. */
export function pickColumn(x: Tensor, columns: Tensor): Tensor {
  const spec = { type: x.type, shape: columns.shape };
  return emitOne(x.graph, 'GatherElements', [x, columns], spec, { axis: 1n });
}

/** x[r, indices[r]] for x [R, V] and indices [R] → [R]. */
export function pick(x: Tensor, indices: Tensor): Tensor {
  const rows = dimension(x, 0);
  return reshape(pickColumn(x, reshape(indices, [-1, 1], [rows, 1])), [-1], [rows]);
}

/**
 * `base` [V, H] with `updates` [N, H] added to the rows `indices` [N]; an index may occur more than once.
 * (ScatterND with reduction=add gives wrong sums for repeated indices when multi-threaded.)
 */
export function scatterAdd(base: Tensor, indices: Tensor, updates: Tensor): Tensor {
  const { graph } = base;
  const column = reshape(indices, [-1, 1], [dimension(updates, 0), 1]);
  const spec = { type: 'int64' as const, shape: updates.shape };
  const expanded = emitOne(graph, 'Expand', [column, shapeOf(updates)], spec);
  return emitOne(
    graph,
    'ScatterElements',
    [base, expanded, updates],
    { type: base.type, shape: base.shape },
    { axis: 0n, reduction: 'add' },
  );
}

/** `base` [V, H] with the rows `indices` [N] replaced by `updates` [N, H]; each index at most once. */
function scatterRows(base: Tensor, indices: Tensor, updates: Tensor): Tensor {
  const column = reshape(indices, [-1, 1], [dimension(updates, 0), 1]);
  const spec = { type: base.type, shape: base.shape };
  return emitOne(base.graph, 'ScatterND', [base, column, updates], spec);
}

/**
 * Rows of a matrix by number, each at most once: [N, H] and indices [R] → [R, H].
 * As {@link gather}, with a cheaper gradient.
 */
export function selectRows(x: Tensor, indices: Tensor): Tensor {
  const rows = gather(x, indices);
  withGradient('selectRows', [x], [rows], (_operation, [g]) => [
    g === null || g === undefined ? null : scatterRows(zerosLike(x), indices, g),
  ]);
  return rows;
}

/** The parts of `x` along an axis. @param sizes int64, one for each part; left out: equal parts */
export function split(
  x: Tensor,
  axis: number,
  parts: readonly Dimension[],
  sizes?: Tensor,
): Tensor[] {
  const place = axis < 0 ? x.shape.length + axis : axis;
  const specs = parts.map((size) => ({ type: x.type, shape: x.shape.with(place, size) }));
  return sizes === undefined
    ? emit(x.graph, 'Split', [x], specs, {
        axis: BigInt(axis),
        num_outputs: BigInt(parts.length),
      })
    : emit(x.graph, 'Split', [x, sizes], specs, { axis: BigInt(axis) });
}

/** Zeros in the run-time shape of `x`. */
export function zerosLike(x: Tensor): Tensor {
  return emitOne(x.graph, 'ConstantOfShape', [shapeOf(x)], { type: 'float32', shape: x.shape });
}

/** Over the last axis. */
export function softmax(x: Tensor): Tensor {
  return emitOne(x.graph, 'Softmax', [x], { type: x.type, shape: x.shape }, { axis: -1n });
}

/** Over the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  return emitOne(x.graph, 'LogSoftmax', [x], { type: x.type, shape: x.shape }, { axis: -1n });
}

function reduce(opType: string, x: Tensor, axes: readonly number[], keep: boolean): Tensor {
  const reduced = new Set(axes.map((axis) => (axis < 0 ? x.shape.length + axis : axis)));
  const shape = x.shape
    .map((d, i) => (reduced.has(i) ? (keep ? 1 : null) : d))
    .filter((d) => d !== null);
  const inputs = [x, integers(x.graph, axes)];
  return emitOne(x.graph, opType, inputs, { type: x.type, shape }, { keepdims: keep ? 1n : 0n });
}

export function reduceSum(x: Tensor, axes: readonly number[], keep = false): Tensor {
  return reduce('ReduceSum', x, axes, keep);
}

export function reduceMean(x: Tensor, axes: readonly number[], keep = false): Tensor {
  return reduce('ReduceMean', x, axes, keep);
}

export function reduceMax(x: Tensor, axes: readonly number[], keep = false): Tensor {
  return reduce('ReduceMax', x, axes, keep);
}

/** The sum of all elements, shape []. */
export function sumAll(x: Tensor): Tensor {
  const axes = x.shape.map((_, i) => i);
  return axes.length === 0 ? x : reduceSum(x, axes);
}

/** x / sqrt(mean(x²) + epsilon) · weight over the last axis; weight [H]. */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  const [normalised] = emit(
    x.graph,
    'SimplifiedLayerNormalization',
    [x, weight],
    [
      { type: x.type, shape: x.shape },
      { type: 'float32', shape: [...x.shape.slice(0, -1), 1] },
    ],
    { axis: -1n, epsilon },
  );
  if (normalised === undefined) throw new Error('the norm has two outputs');
  return normalised;
}

/**
 * Rotary position embedding in HF's layout (first half against second half of a head).
 * x [B, heads, T, headDim]; positions [B, T], or [1]: the first position, counting on from there;
 * cos and sin [positions, headDim / 2].
 */
export function rotary(x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const spec = { type: x.type, shape: x.shape };
  return emitOne(x.graph, 'RotaryEmbedding', [x, positions, cos, sin], spec, { interleaved: 0n });
}
