import { emitOne, input, integers, output, type Graph, type Tensor } from '../graph/graph.ts';
import { mul, softmax } from '../graph/operations.ts';
import { linear, llamaLogits, type LlamaParts } from '../models/llama.ts';
import { tensorSpecs, type LlamaTraits } from '../models/llama-traits.ts';

/**
 * What a graph gives for each row: `probabilities` [rows, vocab] of softmax(logits · inverse_temperature), or, greedy,
 * `best` (int64 [rows]) and `best_probability` [rows], which spares copying the vocabulary.
 */
export type Choice = 'sampled' | 'greedy';

/** Name of the fetch with a layer's new keys or values. */
export const newKeys = (layer: number): string => `new_k.${layer}`;
export const newValues = (layer: number): string => `new_v.${layer}`;
/** Names of the feeds with the keys and values of the prompts and of the tokens generated so far. */
export const promptKeys = (layer: number): string => `prompt_k.${layer}`;
export const promptValues = (layer: number): string => `prompt_v.${layer}`;
export const ownKeys = (layer: number): string => `own_k.${layer}`;
export const ownValues = (layer: number): string => `own_v.${layer}`;

/** What to fetch from a graph built for `choice`. */
export function fetchNames(traits: LlamaTraits, choice: Choice): string[] {
  const chosen = choice === 'greedy' ? ['best', 'best_probability'] : ['probabilities'];
  const layers = Array.from({ length: traits.layers }, (_, i) => [newKeys(i), newValues(i)]);
  return [...chosen, ...layers.flat()];
}

/** Everything of a pass except positions and attention. */
export function commonParts(
  graph: Graph,
  traits: LlamaTraits,
): Omit<LlamaParts, 'positions' | 'attend'> {
  const weights = new Map(
    tensorSpecs(traits).map(({ name, dims }) => [name, input(graph, name, 'float32', dims)]),
  );
  const weight = (name: string): Tensor => {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new Error(`the policy has no tensor ${name}`);
    return tensor;
  };
  const half = traits.headDim / 2;
  return {
    traits,
    weight,
    project: (x, name) => linear(x, weight(name)),
    cos: input(graph, 'cos', 'float32', ['positions', half]),
    sin: input(graph, 'sin', 'float32', ['positions', half]),
  };
}

/** Adds the outputs of {@link Choice} for hidden states [R, hidden]. */
export function outputChoice(parts: LlamaParts, hidden: Tensor, choice: Choice): void {
  const { graph } = hidden;
  const logits = llamaLogits(parts, hidden);
  const probabilities = softmax(mul(logits, input(graph, 'inverse_temperature', 'float32', [])));
  if (choice === 'sampled') {
    output(probabilities, 'probabilities');
    return;
  }
  const rows = hidden.shape.slice(0, 1);
  const axis = { axis: 1n, keepdims: 0n };
  output(emitOne(graph, 'ArgMax', [logits], { type: 'int64', shape: rows }, axis), 'best');
  const top = emitOne(
    graph,
    'ReduceMax',
    [probabilities, integers(graph, [1])],
    { type: 'float32', shape: rows },
    { keepdims: 0n },
  );
  output(top, 'best_probability');
}
