import {
  emitOne,
  integers,
  type GradientPart,
  type Operation,
  type Tensor,
  type VjpRule,
} from '../graph/graph.ts';
import type { Dimension } from '../graph/onnx-format.ts';
import * as op from '../graph/operations.ts';

/*
 * The vector-Jacobian product of every differentiable operation, by ONNX op type. Read with g = d loss / d output:
 * each rule returns d loss / d input for each input.
 */

function first<T>(values: readonly (T | null)[]): T {
  const [value] = values;
  if (value === null || value === undefined) throw new Error('the operation has no such value');
  return value;
}

function operand(operation: Operation, index: number): Tensor {
  const found = operation.inputs[index];
  if (found === null || found === undefined)
    throw new Error(`${operation.opType}: no input ${index}`);
  return found;
}

/** Sums a gradient back to the shape of an operand that was broadcast. */
function unbroadcast(g: Tensor, shape: readonly Dimension[]): Tensor {
  const extra = g.shape.length - shape.length;
  const stretched = shape.flatMap((d, i) =>
    d === 1 && g.shape[i + extra] !== 1 ? [i + extra] : [],
  );
  const kept = stretched.length === 0 ? g : op.reduceSum(g, stretched, true);
  if (extra === 0) return kept;
  return op.reduceSum(
    kept,
    Array.from({ length: extra }, (_, i) => i),
  );
}

type Partial = (g: Tensor, x: Tensor, y: Tensor, out: Tensor) => Tensor;

/** A rule from the two partial derivatives (already multiplied by g), before broadcasting is undone. */
function binary(left: Partial, right: Partial): VjpRule {
  return (operation, gradients, wanted) => {
    const g = first(gradients);
    const x = operand(operation, 0);
    const y = operand(operation, 1);
    const out = first(operation.outputs);
    return [
      wanted[0] === true ? unbroadcast(left(g, x, y, out), x.shape) : null,
      wanted[1] === true ? unbroadcast(right(g, x, y, out), y.shape) : null,
    ];
  };
}

function unary(derivative: (g: Tensor, x: Tensor, out: Tensor) => Tensor): VjpRule {
  return (operation, gradients) => [
    derivative(first(gradients), operand(operation, 0), first(operation.outputs)),
  ];
}

/** Shapes [..., K] to [rows, K]: what a weight's gradient is summed over. */
function asRows(x: Tensor): Tensor {
  const width = op.dimension(x, -1);
  if (typeof width !== 'number') throw new Error(`${x.name}: the last axis must be known`);
  if (x.shape.length === 2) return x;
  return op.reshape(x, [-1, width], [x.shape.slice(0, -1).join('*'), width]);
}

const matMulRule: VjpRule = (operation, gradients, wanted) => {
  const g = first(gradients);
  const a = operand(operation, 0);
  const b = operand(operation, 1);
  const transA = operation.attributes['transA'] === 1n;
  const transB = operation.attributes['transB'] === 1n;
  const alpha = Number(operation.attributes['alpha'] ?? 1);
  const left = (): Tensor =>
    transA
      ? op.matMul(b, g, { transA: transB, transB: true, alpha })
      : op.matMul(g, b, { transB: !transB, alpha });
  const right = (): GradientPart => {
    if (b.shape.length === 2 && !transA) {
      const rows = asRows(a);
      const out = asRows(g);
      return (sum) =>
        transB
          ? op.gemm(out, rows, { transA: true, alpha }, sum ?? undefined)
          : op.gemm(rows, out, { transA: true, alpha }, sum ?? undefined);
    }
    return transB
      ? op.matMul(g, a, { transA: true, transB: transA, alpha })
      : op.matMul(a, g, { transA: !transA, alpha });
  };
  return [wanted[0] === true ? left() : null, wanted[1] === true ? right() : null];
};

const reduceRule =
  (mean: boolean): VjpRule =>
  (operation, gradients) => {
    const g = first(gradients);
    const x = operand(operation, 0);
    const out = first(operation.outputs);
    const shape = op.shapeOf(x);
    const keeps = out.shape.length === x.shape.length;
    const reduced = reducedAxes(operation);
    const wide = keeps
      ? g
      : emitOne(x.graph, 'Unsqueeze', [g, operand(operation, 1)], {
          type: g.type,
          shape: x.shape.map((d, i) => (reduced.has(i) ? 1 : d)),
        });
    const spread = emitOne(x.graph, 'Expand', [wide, shape], { type: x.type, shape: x.shape });
    if (!mean) return [spread, null];
    const size = [...reduced].reduce((total, axis) => total * fixed(op.dimension(x, axis)), 1);
    return [op.mul(spread, 1 / size), null];
  };

function fixed(d: Dimension): number {
  if (typeof d !== 'number')
    throw new Error(`a mean over ${d} has no gradient rule: its size is unknown`);
  return d;
}

/** The axes that a reduction removed, read from its constant input. */
function reducedAxes(operation: Operation): Set<number> {
  const x = operand(operation, 0);
  const axes = operand(operation, 1);
  const bytes = x.graph.initializers.find((record) => record.name === axes.name)?.bytes;
  if (bytes === undefined || bytes === null) {
    throw new Error('the axes of a reduction must be constant');
  }
  const values = new BigInt64Array(bytes.slice().buffer);
  return new Set([...values].map((axis) => (Number(axis) + x.shape.length) % x.shape.length));
}

/** y = x·r·w with r = 1/√(mean x² + ε): dx = r·(g·w − n·mean(g·w·n)), dw = Σ g·n, where n = x·r. */
const rmsNormRule: VjpRule = (operation, gradients, wanted) => {
  const g = first(gradients);
  const x = operand(operation, 0);
  const weight = operand(operation, 1);
  const inverse = operation.outputs[1];
  if (inverse === undefined) throw new Error('the norm keeps its inverse deviation');
  const normalised = op.mul(x, inverse);
  const scaled = op.mul(g, weight);
  const share = op.reduceMean(op.mul(scaled, normalised), [-1], true);
  const dx = op.mul(op.sub(scaled, op.mul(normalised, share)), inverse);
  const leading = x.shape.slice(1).map((_, i) => i);
  const dw = wanted[1] === true ? op.reduceSum(op.mul(g, normalised), leading) : null;
  return [wanted[0] === true ? dx : null, dw];
};

export const VJP_RULES: ReadonlyMap<string, VjpRule> = new Map<string, VjpRule>([
  [
    'Add',
    binary(
      (g) => g,
      (g) => g,
    ),
  ],
  [
    'Sub',
    binary(
      (g) => g,
      (g) => op.neg(g),
    ),
  ],
  [
    'Mul',
    binary(
      (g, _x, y) => op.mul(g, y),
      (g, x) => op.mul(g, x),
    ),
  ],
  [
    'Div',
    binary(
      (g, _x, y) => op.div(g, y),
      (g, _x, y, out) => op.neg(op.div(op.mul(g, out), y)),
    ),
  ],
  [
    'Min',
    binary(
      (g, x, y) => op.mul(g, op.toFloat(op.lessOrEqual(x, y))),
      (g, x, y) => op.mul(g, op.toFloat(op.less(y, x))),
    ),
  ],
  ['Neg', unary((g) => op.neg(g))],
  ['Exp', unary((g, _x, out) => op.mul(g, out))],
  ['Sqrt', unary((g, _x, out) => op.div(op.mul(g, 0.5), out))],
  ['Sigmoid', unary((g, _x, out) => op.mul(g, op.mul(out, op.sub(1, out))))],
  // silu(x) = x·s: d = s + silu·(1 − s) = silu + s·(1 − silu)
  [
    'QuickGelu',
    unary((g, x, out) => op.mul(g, op.add(out, op.mul(op.sigmoid(x), op.sub(1, out))))),
  ],
  [
    'Clip',
    (operation, gradients) => {
      const x = operand(operation, 0);
      const inside = op.and(
        op.lessOrEqual(operand(operation, 1), x),
        op.lessOrEqual(x, operand(operation, 2)),
      );
      return [op.mul(first(gradients), op.toFloat(inside)), null, null];
    },
  ],
  [
    'Where',
    (operation, gradients, wanted) => {
      const g = first(gradients);
      const condition = operand(operation, 0);
      const part = (index: number, value: () => Tensor): Tensor | null =>
        wanted[index] === true ? unbroadcast(value(), operand(operation, index).shape) : null;
      return [
        null,
        part(1, () => op.where(condition, g, 0)),
        part(2, () => op.where(condition, 0, g)),
      ];
    },
  ],
  ['FusedMatMul', matMulRule],
  [
    'Reshape',
    (operation, gradients) => [op.reshapeBack(first(gradients), operand(operation, 0)), null],
  ],
  [
    'Transpose',
    (operation, gradients) => {
      const order = operation.attributes['perm'] as readonly number[];
      const inverse = order.map((_, i) => order.indexOf(i));
      return [op.transpose(first(gradients), inverse)];
    },
  ],
  // (Bounds as `slice` gives them: within the axis, counted from its start.)
  [
    'Slice',
    (operation, gradients) => {
      const x = operand(operation, 0);
      const [start, end, axis] = [1, 2, 3].map((index) => operand(operation, index));
      if (!start || !end || !axis) throw new Error('a slice has a start, an end and an axis');
      const after = op.sub(op.lengthOf(x, axis), end);
      return [op.padTo(first(gradients), x, { axis, before: start, after }), null, null, null];
    },
  ],
  [
    'Concat',
    (operation, gradients, wanted) => {
      const g = first(gradients);
      const axis = Number(operation.attributes['axis']);
      let end = integers(g.graph, [0]);
      return operation.inputs.map((_, i) => {
        const part = operand(operation, i);
        const start = end;
        end = op.add(start, op.lengthOf(part, integers(g.graph, [axis])));
        const size = op.dimension(part, axis);
        return wanted[i] === true ? op.slice(g, axis, { start, end, size }) : null;
      });
    },
  ],
  // Rows of a table, which may repeat. (Where they cannot, models use selectRows, which is cheaper.)
  [
    'Gather',
    (operation, gradients) => {
      const table = operand(operation, 0);
      const g = first(gradients);
      const indices = operand(operation, 1);
      return [
        (sum) =>
          op.scatterAdd(sum ?? op.zerosLike(table), op.reshape(indices, [-1], ['N']), asRows(g)),
        null,
      ];
    },
  ],
  [
    'GatherElements',
    (operation, gradients) => {
      const x = operand(operation, 0);
      const spec = { type: x.type, shape: x.shape };
      const inputs = [op.zerosLike(x), operand(operation, 1), first(gradients)];
      const scatter = { axis: operation.attributes['axis'] ?? 1n, reduction: 'add' };
      return [emitOne(x.graph, 'ScatterElements', inputs, spec, scatter), null];
    },
  ],
  [
    'Softmax',
    unary((g, _x, out) => {
      const weighted = op.mul(g, out);
      return op.sub(weighted, op.mul(out, op.reduceSum(weighted, [-1], true)));
    }),
  ],
  [
    'LogSoftmax',
    unary((g, _x, out) => op.sub(g, op.mul(op.exp(out), op.reduceSum(g, [-1], true)))),
  ],
  ['ReduceSum', reduceRule(false)],
  ['ReduceMean', reduceRule(true)],
  ['SimplifiedLayerNormalization', rmsNormRule],
  // A rotation's transpose is the rotation by the opposite angle.
  [
    'RotaryEmbedding',
    (operation, gradients) => [
      op.rotary(
        first(gradients),
        operand(operation, 1),
        operand(operation, 2),
        op.neg(operand(operation, 3)),
      ),
      null,
      null,
      null,
    ],
  ],
]);
