import type { Graph } from './graph.ts';
import type { AttributeValue, InitializerRecord, NodeRecord } from './onnx-format.ts';

/**
 * The same computation in operations that ONNX Runtime's WebGPU provider has: what it lacks would run on the CPU, with a copy
 * there and back around each node. It also never fills the second output of `SimplifiedLayerNormalization` (seen in 1.30).
 *
 * - FusedMatMul → Transpose, MatMul, Mul
 * - LogSoftmax (last axis) → x − max − log Σ exp(x − max)
 * - SimplifiedLayerNormalization's inverse deviation → 1 / √(mean x² + ε)
 * - ConstantOfShape (zeros) → Expand
 */
export function webgpuForms(graph: Graph): Pick<Graph, 'nodes' | 'initializers'> {
  const ranks = tensorRanks(graph);
  const constants = new Map<string, InitializerRecord>();
  const nodes = graph.nodes.flatMap((node) => {
    const lower = FORMS[node.opType];
    return lower === undefined ? [node] : lower(node, writer(node, ranks, constants));
  });
  return { nodes, initializers: [...graph.initializers, ...constants.values()] };
}

/** Emits the nodes that stand for one. */
interface FormWriter {
  readonly nodes: NodeRecord[];
  readonly rank: (tensor: string) => number;
  /** @returns the name of the result; `as` gives it the name of an output of the node that is replaced. */
  readonly emit: (
    opType: string,
    inputs: readonly string[],
    attributes?: { readonly [name: string]: AttributeValue },
    as?: string,
  ) => string;
  readonly number: (value: number) => string;
  readonly lastAxis: () => string;
}

type Form = (node: NodeRecord, to: FormWriter) => NodeRecord[];

const FORMS: { readonly [opType: string]: Form } = {
  FusedMatMul: ({ inputs, outputs, attributes }, to) => {
    const side = (index: number, flag: string): string => {
      const name = inputs[index] ?? '';
      if (attributes[flag] !== 1n) return name;
      const rank = to.rank(name);
      const order = Array.from({ length: rank }, (_, axis) => axis);
      return to.emit('Transpose', [name], { perm: [...order.slice(0, -2), rank - 1, rank - 2] });
    };
    const factors = [side(0, 'transA'), side(1, 'transB')];
    const alpha = Number(attributes['alpha'] ?? 1);
    if (alpha === 1) to.emit('MatMul', factors, {}, outputs[0]);
    else to.emit('Mul', [to.emit('MatMul', factors), to.number(alpha)], {}, outputs[0]);
    return to.nodes;
  },
  LogSoftmax: ({ inputs: [x = ''], outputs }, to) => {
    const keep = { keepdims: 1n };
    const shifted = to.emit('Sub', [x, to.emit('ReduceMax', [x, to.lastAxis()], keep)]);
    const sum = to.emit('ReduceSum', [to.emit('Exp', [shifted]), to.lastAxis()], keep);
    to.emit('Sub', [shifted, to.emit('Log', [sum])], {}, outputs[0]);
    return to.nodes;
  },
  SimplifiedLayerNormalization: (node, to) => {
    const { inputs, outputs, attributes } = node;
    const [normalised = '', inverse] = outputs;
    to.nodes.push({ ...node, outputs: [normalised] });
    if (inverse === undefined) return to.nodes;
    const [x = ''] = inputs;
    const squares = to.emit('ReduceMean', [to.emit('Mul', [x, x]), to.lastAxis()], {
      keepdims: 1n,
    });
    const epsilon = to.number(Number(attributes['epsilon'] ?? 1e-5));
    const deviation = to.emit('Sqrt', [to.emit('Add', [squares, epsilon])]);
    to.emit('Reciprocal', [deviation], {}, inverse);
    return to.nodes;
  },
  ConstantOfShape: ({ inputs: [shape = ''], outputs }, to) => {
    to.emit('Expand', [to.number(0), shape], {}, outputs[0]);
    return to.nodes;
  },
};

function writer(
  node: NodeRecord,
  ranks: ReadonlyMap<string, number>,
  constants: Map<string, InitializerRecord>,
): FormWriter {
  const nodes: NodeRecord[] = [];
  const constant = (
    name: string,
    make: () => Pick<InitializerRecord, 'type' | 'dims' | 'bytes'>,
  ): string => {
    if (!constants.has(name)) constants.set(name, { name, ...make() });
    return name;
  };
  return {
    nodes,
    rank: (tensor) => {
      const rank = ranks.get(tensor);
      if (rank === undefined) throw new Error(`the rank of ${tensor} is not known`);
      return rank;
    },
    emit: (opType, inputs, attributes = {}, as) => {
      const name = `${node.name}.${opType}.${nodes.length}`;
      const result = as ?? name;
      nodes.push({ name, domain: '', opType, inputs, outputs: [result], attributes });
      return result;
    },
    number: (value) =>
      constant(`webgpu.float:${value}`, () => ({
        type: 'float32',
        dims: [],
        bytes: new Uint8Array(Float32Array.of(value).buffer),
      })),
    lastAxis: () =>
      constant('webgpu.last-axis', () => ({
        type: 'int64',
        dims: [1],
        bytes: new Uint8Array(BigInt64Array.of(-1n).buffer),
      })),
  };
}

function tensorRanks(graph: Graph): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const { name, shape } of graph.inputs) ranks.set(name, shape.length);
  for (const { name, dims } of graph.initializers) ranks.set(name, dims.length);
  for (const { outputs } of graph.operations) {
    for (const { name, shape } of outputs) ranks.set(name, shape.length);
  }
  return ranks;
}
