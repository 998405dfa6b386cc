import type {
  AttributeValue,
  Dimension,
  ElementType,
  InitializerRecord,
  NodeRecord,
} from './onnx-format.ts';

/** A value in a graph under construction; nothing is computed before a session runs the graph. */
export interface Tensor {
  readonly graph: Graph;
  readonly name: string;
  readonly type: ElementType;
  /** Names stand for sizes that are known only at run time; equal names mean equal sizes. */
  readonly shape: readonly Dimension[];
}

/**
 * A part of a tensor's gradient: a tensor, or a function that adds the part onto what is summed so far
 * (null: nothing yet), where that is cheaper than making the part and adding it.
 */
export type GradientPart = Tensor | ((sum: Tensor | null) => Tensor);

/**
 * The vector-Jacobian product of an operation: the gradients of its outputs (null: not needed by the loss) in, a part for each
 * input out. `wanted` says for which inputs a part is used; null in the other places.
 */
export type VjpRule = (
  operation: Operation,
  gradients: readonly (Tensor | null)[],
  wanted: readonly boolean[],
) => readonly (GradientPart | null)[];

/** One operation as the autodiff sees it: a node, or several that have a gradient of their own as a whole. */
export interface Operation {
  readonly opType: string;
  /** Null: an optional input left out. */
  readonly inputs: readonly (Tensor | null)[];
  readonly outputs: readonly Tensor[];
  readonly attributes: { readonly [name: string]: AttributeValue };
  /** Instead of the rule for `opType`. */
  readonly vjp?: VjpRule;
}

/** An ONNX graph under construction: a list of operations in the order in which they were emitted. */
export interface Graph {
  readonly operations: Operation[];
  readonly nodes: NodeRecord[];
  readonly inputs: Tensor[];
  readonly outputs: Tensor[];
  readonly initializers: InitializerRecord[];
  /** Scalars and small constants already made, by value: the same constant is written once. */
  readonly constants: Map<string, Tensor>;
  /** The operation that made a tensor, by the tensor's name. */
  readonly producers: Map<string, Operation>;
}

export function createGraph(): Graph {
  return {
    operations: [],
    nodes: [],
    inputs: [],
    outputs: [],
    initializers: [],
    constants: new Map(),
    producers: new Map(),
  };
}

/** Declares a feed. */
export function input(
  graph: Graph,
  name: string,
  type: ElementType,
  shape: readonly Dimension[],
): Tensor {
  const tensor = { graph, name, type, shape };
  graph.inputs.push(tensor);
  return tensor;
}

/** Declares what `run` can fetch, under a name of its own. */
export function output(tensor: Tensor, name: string): void {
  const { graph } = tensor;
  graph.nodes.push({
    name,
    domain: '',
    opType: 'Identity',
    inputs: [tensor.name],
    outputs: [name],
    attributes: {},
  });
  graph.outputs.push({ ...tensor, name });
}

/** Data that is part of the model. The graph keeps a reference to `data`, no copy. */
export function initializer(
  graph: Graph,
  name: string,
  type: ElementType,
  dims: readonly number[],
  data: ArrayBufferView,
): Tensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  graph.initializers.push({ name, type, dims, bytes });
  return { graph, name, type, shape: dims };
}

/** Constant data that comes with the session ({@link SessionData} by name), not with the model. */
export function externalInitializer(
  graph: Graph,
  name: string,
  type: ElementType,
  dims: readonly number[],
): Tensor {
  graph.initializers.push({ name, type, dims, bytes: null });
  return { graph, name, type, shape: dims };
}

/** A float scalar (shape []). */
export function scalar(graph: Graph, value: number): Tensor {
  return constant(graph, `float:${value}`, 'float32', [], () => Float32Array.of(value));
}

/** A token id (shape []). */
export function scalarInt32(graph: Graph, value: number): Tensor {
  return constant(graph, `int32:${value}`, 'int32', [], () => Int32Array.of(value));
}

/** A vector of integers, as shapes and indices are. */
export function integers(graph: Graph, values: readonly number[]): Tensor {
  return constant(graph, `ints:${values.join(',')}`, 'int64', [values.length], () =>
    BigInt64Array.from(values, BigInt),
  );
}

function constant(
  graph: Graph,
  key: string,
  type: ElementType,
  dims: readonly number[],
  data: () => ArrayBufferView,
): Tensor {
  const known = graph.constants.get(key);
  if (known !== undefined) return known;
  const made = initializer(graph, `constant.${graph.constants.size}`, type, dims, data());
  graph.constants.set(key, made);
  return made;
}

/** What one emitted output is like. */
export interface OutputSpec {
  readonly type: ElementType;
  readonly shape: readonly Dimension[];
}

const MICROSOFT_OPS: ReadonlySet<string> = new Set([
  'FusedMatMul',
  'MatMulIntegerToFloat',
  'RotaryEmbedding',
  'QuickGelu',
]);

/**
 * Emits an operation. Names are numbered in the order of emission, so equal code gives equal bytes.
 * Operations that ONNX Runtime defines itself get the domain `com.microsoft`.
 */
export function emit(
  graph: Graph,
  opType: string,
  inputs: readonly (Tensor | null)[],
  outputs: readonly OutputSpec[],
  attributes: { readonly [name: string]: AttributeValue } = {},
): Tensor[] {
  const id = `${opType}.${graph.nodes.length}`;
  const made = outputs.map((spec, i) => ({
    graph,
    name: outputs.length === 1 ? id : `${id}.${i}`,
    type: spec.type,
    shape: spec.shape,
  }));
  graph.nodes.push({
    name: id,
    domain: MICROSOFT_OPS.has(opType) ? 'com.microsoft' : '',
    opType,
    inputs: inputs.map((tensor) => tensor?.name ?? ''),
    outputs: made.map((tensor) => tensor.name),
    attributes,
  });
  const operation: Operation = { opType, inputs, outputs: made, attributes };
  graph.operations.push(operation);
  for (const tensor of made) graph.producers.set(tensor.name, operation);
  return made;
}

/** {@link emit} for operations with one output. */
export function emitOne(
  graph: Graph,
  opType: string,
  inputs: readonly (Tensor | null)[],
  spec: OutputSpec,
  attributes: { readonly [name: string]: AttributeValue } = {},
): Tensor {
  const [made] = emit(graph, opType, inputs, [spec], attributes);
  if (made === undefined) throw new Error('emit returns as many tensors as it is given specs');
  return made;
}

/**
 * Makes autodiff see all that led from `inputs` to `outputs` as one operation with a gradient of its own,
 * for what has a cheaper one than its parts.
 */
export function withGradient(
  name: string,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  vjp: VjpRule,
): void {
  const operation: Operation = { opType: name, inputs, outputs, attributes: {}, vjp };
  for (const tensor of outputs) {
    tensor.graph.producers.set(tensor.name, operation);
  }
  outputs[0]?.graph.operations.push(operation);
}
