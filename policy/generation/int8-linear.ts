import { Tensor as Value } from 'onnxruntime-node';
import {
  createGraph,
  emitOne,
  externalInitializer,
  initializer,
  input,
  integers,
  output,
  scalar,
  type Graph,
  type Tensor,
} from '../graph/graph.ts';
import {
  abs,
  add,
  concat,
  dimension,
  div,
  maximum,
  mul,
  reduceMax,
  split,
  sub,
} from '../graph/operations.ts';
import { onCpu, openSession } from '../graph/session.ts';
import {
  scalesName,
  valuesName,
  WEIGHT_ZERO,
  type Int8Group,
  type WeightType,
} from './int8-weights.ts';

/*
 * Products of integers instead of fp32 numbers, for rollouts alone: weights are rounded to 8 bits for each output, activations for each
 * token ("W8A8"). Training goes on with the fp32 weights. How far the sampled tokens are off its policy is known, since rollouts keep
 * the probabilities that they sampled with, and `importanceSamplingCap` weighs it (Yao et al. 2025, "Your Efficient RL Framework
 * Secretly Brings You Off-Policy RL Training"). Sums of integers are exact: a row comes out the same in any batch, with any
 * number of threads.
 */

/** What stands for 0 in a rounded activation; ±127 around it. */
const ZERO = 128;
/** Of a token's largest activation. */
const STEP = 1 / 127;
/** Of what the first byte leaves, half a step at most, the second one's share of a step. */
const FINENESS = 254;
/** Keeps a token of zeros from being divided by zero. */
const SMALLEST = 1e-20;

/** Results so many times as wide as activations are not taken apart, which copies them. */
const WIDE = 4;

/** x [..., in] times the transpose of a matrix [out, in] → [..., out], the matrices being `int8Data` of the session. */
export function int8Linear(
  graph: Graph,
  groups: readonly Int8Group[],
  type: WeightType,
): (x: Tensor, name: string) => Tensor {
  const zero = byte(graph, 'activation_zero', ZERO);
  const weightZero = type === 'int8' ? null : byte(graph, 'weight_zero', WEIGHT_ZERO);
  const step = scalar(graph, STEP);
  const fineStep = scalar(graph, STEP / FINENESS);
  const bytes = (x: Tensor, unit: Tensor): Tensor =>
    emitOne(graph, 'QuantizeLinear', [x, unit, zero], { type: 'uint8', shape: x.shape });
  const numbers = (x: Tensor): Tensor =>
    emitOne(graph, 'DequantizeLinear', [x, step, zero], { type: 'float32', shape: x.shape });
  return perGroup(groups, ({ name, rows, columns, twoBytes }) => {
    const out = rows.reduce((sum, count) => sum + count, 0);
    const values = externalInitializer(graph, valuesName(name), type, [columns, out]);
    const scales = externalInitializer(graph, scalesName(name), 'float32', [out]);
    const product = (x: Tensor, unit: Tensor): Tensor =>
      emitOne(graph, 'MatMulIntegerToFloat', [x, values, unit, scales, zero, weightZero], {
        type: 'float32',
        shape: [...x.shape.slice(0, -1), out],
      });
    return (x) => {
      const largest = maximum(reduceMax(abs(x), [-1], true), SMALLEST);
      const share = div(x, largest);
      const first = bytes(share, step);
      const sums = (): Tensor => {
        if (!twoBytes) return product(first, step);
        const second = bytes(sub(share, numbers(first)), fineStep);
        if (out > WIDE * columns) return add(product(first, step), product(second, fineStep));
        // One product reads the matrix once.
        const both = concat([first, second], 0, `2·${dimension(x, 0)}`);
        const size = dimension(x, 0);
        const [coarse, fine] = split(product(both, step), 0, [size, size]) as [Tensor, Tensor];
        return add(coarse, mul(fine, 1 / FINENESS));
      };
      const products = mul(sums(), largest);
      return rows.length === 1 ? [products] : split(products, -1, rows, integers(graph, rows));
    };
  });
}

/** Calls a group's product once for the same activations, and gives each of its matrices its part. */
function perGroup(
  groups: readonly Int8Group[],
  build: (group: Int8Group) => (x: Tensor) => readonly Tensor[],
): (x: Tensor, name: string) => Tensor {
  const matrices = new Map<string, (x: Tensor) => Tensor>();
  for (const group of groups) {
    const product = build(group);
    const known = new Map<Tensor, readonly Tensor[]>();
    group.names.forEach((name, index) => {
      matrices.set(name, (x) => {
        const made = known.get(x) ?? product(x);
        known.set(x, made);
        return made[index]!;
      });
    });
  }
  return (x, name) => {
    const matrix = matrices.get(name);
    if (matrix === undefined) throw new Error(`the policy has no matrix ${name}`);
    return matrix(x);
  };
}

function byte(graph: Graph, name: string, value: number): Tensor {
  return initializer(graph, name, 'uint8', [], Uint8Array.of(value));
}

/**
 * The form of weights whose products are exact on this processor. x86 without VNNI adds pairs of products of unsigned and signed bytes in
 * 16 bits, which large ones overflow; there ONNX Runtime is exact, and slower, with unsigned weights.
 */
export async function exactWeightType(): Promise<WeightType> {
  const size = 32;
  const graph = createGraph();
  const largest = new Int8Array(size * size).fill(127);
  const matrix = initializer(graph, 'w', 'int8', [size, size], largest);
  const x = input(graph, 'x', 'uint8', [1, size]);
  const sums = emitOne(graph, 'MatMulInteger', [x, matrix], { type: 'int32', shape: x.shape });
  output(sums, 'sums');
  const session = await openSession(graph, onCpu(1));
  try {
    const { sums: found } = await session.run(
      { x: new Value('uint8', new Uint8Array(size).fill(255), [1, size]) },
      ['sums'],
    );
    return (found!.data as Int32Array).every((sum) => sum === size * 255 * 127) ? 'int8' : 'uint8';
  } finally {
    await session.release();
  }
}
