import { Tensor as Value } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import { checkpointed } from '../../policy/autodiff/checkpointed.ts';
import { gradients } from '../../policy/autodiff/gradients.ts';
import { VJP_RULES } from '../../policy/autodiff/vjp-rules.ts';
import {
  createGraph,
  initializer,
  input,
  integers,
  output,
  type Graph,
  type Tensor,
} from '../../policy/graph/graph.ts';
import * as op from '../../policy/graph/operations.ts';
import { floatData, floats, onCpu, openSession } from '../../policy/graph/session.ts';
import { foldMask, groupedAttention } from '../../policy/models/attention.ts';
import { tokenLogprobs } from '../../policy/training/token-logprobs.ts';

interface Case {
  readonly what: string;
  /** Shapes of the inputs that are differentiated. */
  readonly shapes: readonly (readonly number[])[];
  /** Values lie in [low, high). */
  readonly range?: readonly [number, number];
  readonly build: (x: readonly Tensor[], graph: Graph) => Tensor;
}

function at(tensors: readonly Tensor[], index: number): Tensor {
  const tensor = tensors[index];
  if (tensor === undefined) throw new Error(`the case has no input ${index}`);
  return tensor;
}

const unary =
  (build: (x: Tensor) => Tensor): Case['build'] =>
  (x) =>
    build(at(x, 0));
const binary =
  (build: (x: Tensor, y: Tensor) => Tensor): Case['build'] =>
  (x) =>
    build(at(x, 0), at(x, 1));

const ROWS = [2, 0, 2, 2, 1];
const matMulCase = (transA: boolean, transB: boolean, batch: readonly number[]): Case => ({
  what: `matMul ${transA ? 'aᵀ' : 'a'}·${transB ? 'bᵀ' : 'b'}, batch [${batch.join()}]`,
  shapes: [
    [...batch, ...(transA ? [4, 3] : [3, 4])],
    [...batch, ...(transB ? [5, 4] : [4, 5])],
  ],
  build: binary((a, b) => op.matMul(a, b, { transA, transB, alpha: 0.7 })),
});

const CASES: Case[] = [
  { what: 'add', shapes: [[3, 4], [4]], build: binary(op.add) },
  {
    what: 'add, left broadcast',
    shapes: [
      [3, 1],
      [2, 3, 4],
    ],
    build: binary(op.add),
  },
  {
    what: 'sub',
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: binary(op.sub),
  },
  {
    what: 'mul',
    shapes: [
      [2, 3, 4],
      [3, 1],
    ],
    build: binary(op.mul),
  },
  { what: 'mul by itself', shapes: [[3, 4]], build: unary((x) => op.mul(x, x)) },
  { what: 'div', shapes: [[3, 4], [4]], range: [0.5, 2], build: binary(op.div) },
  {
    what: 'minimum',
    shapes: [
      [5, 6],
      [5, 6],
    ],
    build: binary(op.minimum),
  },
  { what: 'neg', shapes: [[4]], build: unary(op.neg) },
  { what: 'exp', shapes: [[3, 4]], build: unary(op.exp) },
  { what: 'sqrt', shapes: [[3, 4]], range: [0.5, 2], build: unary(op.sqrt) },
  { what: 'sigmoid', shapes: [[3, 4]], build: unary(op.sigmoid) },
  { what: 'silu', shapes: [[3, 4]], range: [-3, 3], build: unary(op.silu) },
  { what: 'clip', shapes: [[5, 6]], build: unary((x) => op.clip(x, -0.43, 0.55)) },
  {
    what: 'where',
    shapes: [[5, 6], [6]],
    build: binary((x, y) => op.where(op.less(op.stopGradient(x), 0.15), x, y)),
  },
  ...[false, true].flatMap((transA) =>
    [false, true].flatMap((transB) => [[], [2], [2, 3]].map((b) => matMulCase(transA, transB, b))),
  ),
  {
    what: 'matMul with one weight for all rows',
    shapes: [
      [2, 3, 4],
      [5, 4],
    ],
    build: binary((x, w) => op.matMul(x, w, { transB: true, alpha: 0.5 })),
  },
  {
    what: 'matMul with one weight, not transposed',
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
    build: binary((x, w) => op.matMul(x, w)),
  },
  {
    what: 'reshape and transpose',
    shapes: [[2, 3, 8]],
    build: unary((x) => op.transpose(op.reshape(x, [0, 0, 2, 4], [2, 3, 2, 4]), [0, 2, 1, 3])),
  },
  {
    what: 'gather with repeated rows',
    shapes: [[3, 4]],
    build: (x, graph) => op.gather(at(x, 0), integers(graph, ROWS)),
  },
  {
    what: 'the same table gathered and multiplied by',
    shapes: [
      [3, 4],
      [2, 4],
    ],
    build: (x, graph) => {
      const rows = op.gather(at(x, 0), integers(graph, ROWS));
      const narrow = op.matMul(rows, at(x, 1), { transB: true });
      return op.matMul(narrow, op.matMul(at(x, 1), at(x, 0), { transB: true }));
    },
  },
  {
    what: 'selectRows',
    shapes: [[4, 3]],
    build: (x, graph) => op.selectRows(at(x, 0), integers(graph, [3, 1])),
  },
  {
    what: 'pick',
    shapes: [[5, 3]],
    build: (x, graph) => op.pick(at(x, 0), integers(graph, ROWS)),
  },
  { what: 'softmax', shapes: [[3, 4]], build: unary(op.softmax) },
  { what: 'logSoftmax', shapes: [[3, 4]], build: unary(op.logSoftmax) },
  {
    what: 'reduceSum, axis dropped',
    shapes: [[2, 3, 4]],
    build: unary((x) => op.reduceSum(x, [1])),
  },
  {
    what: 'reduceSum, axis kept',
    shapes: [[2, 3, 4]],
    build: unary((x) => op.reduceSum(x, [-1], true)),
  },
  { what: 'reduceMean', shapes: [[2, 3, 4]], build: unary((x) => op.reduceMean(x, [0, -1])) },
  { what: 'rmsNorm', shapes: [[2, 3, 8], [8]], build: binary((x, w) => op.rmsNorm(x, w, 1e-5)) },
  {
    what: 'rotary',
    shapes: [[2, 2, 3, 4]],
    build: (x, graph) => {
      const table = (name: string): Tensor => input(graph, name, 'float32', [5, 2]);
      return op.rotary(at(x, 0), integers(graph, [1]), table('cos'), table('sin'));
    },
  },
  ...[1, 2, 4].map((kvHeads) => ({
    what: `attention, ${4 / kvHeads} queries a key head`,
    shapes: [
      [2, 4, 3, 4],
      [2, kvHeads, 3, 4],
      [2, kvHeads, 3, 4],
    ],
    build: (x: readonly Tensor[], graph: Graph) => {
      const mask = foldMask(input(graph, 'mask', 'float32', [3, 3]), 4 / kvHeads);
      return groupedAttention(at(x, 0), at(x, 1), at(x, 2), mask);
    },
  })),
  // 3 tokens in one chunk, 7 in chunks of 2, 2, 3.
  ...[3, 7].map((vocab) => ({
    what: `tokenLogprobs, ${vocab} tokens`,
    shapes: [
      [5, 4],
      [vocab, 4],
    ],
    build: (x: readonly Tensor[], graph: Graph) => {
      const cold = input(graph, 'inverse_temperature', 'float32', []);
      const targets = initializer(graph, 'targets', 'int32', [5], Int32Array.from(ROWS));
      const options = { entropy: false, gradient: true, chunkRows: 3 };
      return tokenLogprobs(at(x, 0), at(x, 1), targets, cold, options).logprobs;
    },
  })),
  {
    what: 'checkpointed, with a matrix that the loss meets before and after as well',
    shapes: [[2, 3, 4], [4, 4], [4]],
    build: (x) => {
      const [start, matrix, weight] = [at(x, 0), at(x, 1), at(x, 2)];
      const layer = (inner: Tensor): Tensor =>
        op.add(inner, op.silu(op.matMul(op.mul(inner, weight), matrix)));
      const twice = checkpointed(checkpointed(op.matMul(start, matrix), layer), layer);
      return op.matMul(twice, matrix, { transB: true });
    },
  },
];

/** What single cases need besides their inputs. */
const EXTRA_FEEDS: { readonly [name: string]: Value } = {
  cos: floats(
    Float32Array.from({ length: 10 }, (_, i) => Math.cos(0.3 * i)),
    [5, 2],
  ),
  sin: floats(
    Float32Array.from({ length: 10 }, (_, i) => Math.sin(0.3 * i)),
    [5, 2],
  ),
  mask: floats(Float32Array.from([0, -1e9, -1e9, 0, 0, -1e9, 0, 0, 0]), [3, 3]),
  inverse_temperature: new Value('float32', Float32Array.of(1.3), []),
};

/** Random multiples of 0.1 in [low, high), moved by `offset`: a small step never crosses a kink of `clip` or `minimum`. */
function randomValues(
  seed: number,
  length: number,
  [low, high]: readonly [number, number],
  offset = 0,
): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from(
    { length },
    () => Math.round(10 * (low + (high - low) * random())) / 10 + offset,
  );
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const usedOps = new Set<string>();

async function worstError({ what, shapes, range = [-1, 1], build }: Case): Promise<number> {
  const graph = createGraph();
  const inputs = shapes.map((shape, i) => input(graph, `x${i}`, 'float32', shape));
  const result = build(inputs, graph);
  for (const operation of graph.operations) usedOps.add(operation.opType);
  const shape = result.shape.map(Number);
  const direction = input(graph, 'direction', 'float32', shape);
  const loss = op.sumAll(op.mul(result, direction));
  output(loss, 'loss');
  gradients(loss, inputs).forEach((gradient, i) => output(gradient, `g${i}`));
  const session = await openSession(graph, onCpu(2));

  const data = shapes.map((dims, i) =>
    randomValues(hashSeed(what, i), count(dims), range, 0.04 * i),
  );
  const names = new Set(graph.inputs.map(({ name }) => name));
  const feeds = {
    ...Object.fromEntries(Object.entries(EXTRA_FEEDS).filter(([name]) => names.has(name))),
    ...Object.fromEntries(data.map((values, i) => [`x${i}`, floats(values, shapes[i] ?? [])])),
    direction: floats(randomValues(hashSeed(what), count(shape), [-1, 1]), shape),
  };
  const lossNow = async (): Promise<number> =>
    floatData(await session.run(feeds, ['loss']), 'loss')[0] ?? 0;
  const found = await session.run(
    feeds,
    shapes.map((_, i) => `g${i}`),
  );
  let worst = 0;
  for (const [i, values] of data.entries()) {
    const gradient = floatData(found, `g${i}`);
    expect(found[`g${i}`]?.dims).toEqual(shapes[i]);
    const step = 1e-2;
    for (let j = 0; j < values.length; j++) {
      const origin = values[j] ?? 0;
      values[j] = origin + step;
      const above = await lossNow();
      values[j] = origin - step;
      const below = await lossNow();
      values[j] = origin;
      worst = Math.max(worst, Math.abs((above - below) / (2 * step) - (gradient[j] ?? 0)));
    }
  }
  await session.release();
  return worst;
}

describe('the gradient of every operation', () => {
  it.each(CASES)('$what agrees with finite differences', async (which) => {
    expect(await worstError(which)).toBeLessThan(2e-3);
  });

  it('no rule is left out above', () => {
    const tested = [...VJP_RULES.keys()].filter((name) => usedOps.has(name));
    expect(tested).toEqual([...VJP_RULES.keys()]);
  });
});

/** A feed of that shape, element i = value(i). */
function feed(dims: number[], value: (i: number) => number): Value {
  return floats(
    Float32Array.from({ length: count(dims) }, (_, i) => value(i)),
    dims,
  );
}

describe('gradients', () => {
  it('stop at stopGradient', async () => {
    const graph = createGraph();
    const x = input(graph, 'x', 'float32', [2]);
    const loss = op.sumAll(op.mul(x, op.stopGradient(op.exp(x))));
    output(gradients(loss, [x])[0] ?? x, 'g');
    const session = await openSession(graph, onCpu(1));
    const found = await session.run({ x: floats(Float32Array.of(0, 1), [2]) }, ['g']);
    expect([...floatData(found, 'g')]).toEqual([1, Math.fround(Math.E)]);
  });

  it('are added onto what is given, for matrices, vectors and tables alike', async () => {
    const graph = createGraph();
    const table = input(graph, 'table', 'float32', [3, 2]);
    const weight = input(graph, 'weight', 'float32', [2, 2]);
    const scale = input(graph, 'scale', 'float32', [2]);
    const rows = op.mul(op.matMul(op.gather(table, integers(graph, [1, 1])), weight), scale);
    const variables = [table, weight, scale];
    const onto = new Map(
      variables.map((x) => [x.name, input(graph, `sum.${x.name}`, 'float32', x.shape)]),
    );
    gradients(op.sumAll(rows), variables, onto).forEach((g, i) => output(g, `g${i}`));
    const session = await openSession(graph, onCpu(1));
    const run = async (sum: number): Promise<number[][]> => {
      const found = await session.run(
        {
          table: feed([3, 2], (i) => i),
          weight: feed([2, 2], (i) => i + 1),
          scale: feed([2], () => 2),
          'sum.table': feed([3, 2], () => sum),
          'sum.weight': feed([2, 2], () => sum),
          'sum.scale': feed([2], () => sum),
        },
        ['g0', 'g1', 'g2'],
      );
      return ['g0', 'g1', 'g2'].map((name) => [...floatData(found, name)]);
    };
    const plain = await run(0);
    expect(await run(10)).toEqual(plain.map((values) => values.map((x) => x + 10)));
  });

  it('refuse a variable that the loss does not depend on', () => {
    const graph = createGraph();
    const [x, y] = ['x', 'y'].map((name) => input(graph, name, 'float32', [2]));
    if (x === undefined || y === undefined) throw new Error('two inputs');
    expect(() => gradients(op.sumAll(x), [y])).toThrow('does not depend on y');
  });
});
