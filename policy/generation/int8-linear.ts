import { Tensor as Value } from 'onnxruntime-node';
import {
  createGraph,
  emitOne,
  externalInitializer,
  initializer,
  input,
  output,
  scalar,
  type Graph,
  type Tensor,
} from '../graph/graph.ts';
import { abs, add, div, maximum, mul, reduceMax, sub } from '../graph/operations.ts';
import { onCpu, openSession } from '../graph/session.ts';
import type { TensorSpec } from '../models/model-traits.ts';
import { scalesName, valuesName, WEIGHT_ZERO, type WeightType } from './int8-weights.ts';

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
/** Of what the first byte leaves: half a step at most. */
const FINE_STEP = STEP / 254;
/** Keeps a token of zeros from being divided by zero. */
const SMALLEST = 1e-20;

/** Activations [..., in] in bytes. */
interface Rounded {
  /** The largest of each token [..., 1]. */
  readonly largest: Tensor;
  readonly first: Tensor;
  /** What the first byte leaves. */
  readonly second: () => Tensor;
}

/**
 * x [..., in] times the transpose of a matrix [out, in] → [..., out], the matrices being `int8Data` of the session.
 * @param oneByte the matrices whose activations have one byte; those of the others have two
 */
export function int8Linear(
  graph: Graph,
  specs: readonly TensorSpec[],
  type: WeightType,
  oneByte: ReadonlySet<string>,
): (x: Tensor, name: string) => Tensor {
  const matrices = new Map(
    specs.map(({ name, dims }) => {
      const [rows = 0, columns = 0] = dims;
      return [
        name,
        {
          rows,
          values: externalInitializer(graph, valuesName(name), type, [columns, rows]),
          scales: externalInitializer(graph, scalesName(name), 'float32', [rows]),
        },
      ];
    }),
  );
  const zero = byte(graph, 'activation_zero', ZERO);
  const weightZero = type === 'int8' ? null : byte(graph, 'weight_zero', WEIGHT_ZERO);
  const bytes = (x: Tensor, step: Tensor): Tensor =>
    emitOne(graph, 'QuantizeLinear', [x, step, zero], { type: 'uint8', shape: x.shape });
  const step = scalar(graph, STEP);
  const fineStep = scalar(graph, FINE_STEP);
  const round = (x: Tensor): Rounded => {
    const largest = maximum(reduceMax(abs(x), [-1], true), SMALLEST);
    const share = div(x, largest);
    const first = bytes(share, step);
    let second: Tensor | null = null;
    return {
      largest,
      first,
      second: () => {
        const spec = { type: 'float32', shape: x.shape } as const;
        second ??= bytes(
          sub(share, emitOne(graph, 'DequantizeLinear', [first, step, zero], spec)),
          fineStep,
        );
        return second;
      },
    };
  };
  // Several projections take the same activations.
  const known = new Map<Tensor, Rounded>();
  return (x, name) => {
    const matrix = matrices.get(name);
    if (matrix === undefined) throw new Error(`the policy has no matrix ${name}`);
    const rounded = known.get(x) ?? round(x);
    known.set(x, rounded);
    const product = (values: Tensor, unit: Tensor): Tensor => {
      const operands = [values, matrix.values, unit, matrix.scales, zero, weightZero];
      const spec = { type: 'float32', shape: [...x.shape.slice(0, -1), matrix.rows] } as const;
      return emitOne(graph, 'MatMulIntegerToFloat', operands, spec);
    };
    const first = product(rounded.first, step);
    const sum = oneByte.has(name) ? first : add(first, product(rounded.second(), fineStep));
    return mul(sum, rounded.largest);
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
  const x = input(graph, 'x', 'float32', [1, size]);
  const spec = { type: 'uint8', shape: x.shape } as const;
  const values = emitOne(graph, 'QuantizeLinear', [x, scalar(graph, 1)], spec);
  const sums = emitOne(graph, 'MatMulInteger', [values, matrix], { type: 'int32', shape: x.shape });
  output(sums, 'sums');
  const session = await openSession(graph, onCpu(1));
  try {
    const { sums: found } = await session.run(
      { x: new Value('float32', new Float32Array(size).fill(255), [1, size]) },
      ['sums'],
    );
    return (found!.data as Int32Array).every((sum) => sum === size * 255 * 127) ? 'int8' : 'uint8';
  } finally {
    await session.release();
  }
}
