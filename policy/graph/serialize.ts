import type { Graph } from './graph.ts';
import { encodeModel, type NodeRecord } from './onnx-format.ts';

/**
 * The graph as ONNX bytes, for `InferenceSession.create`, without what leads to no output: ONNX Runtime would compute it.
 * @param form what is written in place of the graph's own nodes and initializers.
 */
export function serialize(
  graph: Graph,
  form: Pick<Graph, 'nodes' | 'initializers'> = graph,
): Uint8Array {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return encodeModel({
    nodes: namedOutputs(neededNodes(form.nodes, outputs), outputs),
    inputs: graph.inputs,
    outputs: graph.outputs,
    initializers: form.initializers,
  });
}

function neededNodes(
  nodes: readonly NodeRecord[],
  outputs: ReadonlySet<string>,
): readonly NodeRecord[] {
  const needed = new Set(outputs);
  const kept: NodeRecord[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    kept.push(node);
  }
  return kept.toReversed();
}

/**
 * Makes what leaves the graph under its output's name at once, instead of copying it there: ONNX Runtime spares the copy only
 * where nothing else in the graph looks at it.
 */
function namedOutputs(
  nodes: readonly NodeRecord[],
  outputs: ReadonlySet<string>,
): readonly NodeRecord[] {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const renamed = new Map<string, string>();
  const copies = new Set<NodeRecord>();
  for (const node of nodes) {
    const [source] = node.inputs;
    const [name] = node.outputs;
    if (node.opType !== 'Identity' || source === undefined || name === undefined) continue;
    if (!outputs.has(name) || !made.has(source) || renamed.has(source)) continue;
    renamed.set(source, name);
    copies.add(node);
  }
  const known = (name: string): string => renamed.get(name) ?? name;
  return nodes
    .filter((node) => !copies.has(node))
    .map((node) => ({
      ...node,
      inputs: node.inputs.map(known),
      outputs: node.outputs.map(known),
    }));
}
