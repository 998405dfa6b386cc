import { emitOne, input, integers, output, type Graph, type Tensor } from '../graph/graph.ts';
import { mul, softmax } from '../graph/operations.ts';
import type { DecoderParts } from '../models/decoder.ts';
import { headName, type ModelTraits } from '../models/model-traits.ts';
import { fedTensors, projections, type MatrixPlace } from './matrices.ts';

/**
 * What a graph gives for each row: `probabilities` [rows, vocab] of softmax(logits · inverse_temperature), or, greedy,
 * `best` (int64 [rows]) and `best_probability` [rows], which spares copying the vocabulary. `mixed`: rows that are chosen in
 * different ways, `probabilities` and `best`; inverse_temperature is [rows, 1] then.
 */
export type Choice = 'sampled' | 'greedy' | 'mixed';

const CHOICE_FETCHES: { readonly [choice in Choice]: readonly string[] } = {
  sampled: ['probabilities'],
  greedy: ['best', 'best_probability'],
  mixed: ['best', 'probabilities'],
};

/** Name of the fetch with a layer's new keys or values. */
export const newKeys = (layer: number): string => `new_k.${layer}`;
export const newValues = (layer: number): string => `new_v.${layer}`;
/** Names of the feeds with the keys and values of the prompts and of the tokens generated so far. */
export const promptKeys = (layer: number): string => `prompt_k.${layer}`;
export const promptValues = (layer: number): string => `prompt_v.${layer}`;
export const ownKeys = (layer: number): string => `own_k.${layer}`;
export const ownValues = (layer: number): string => `own_v.${layer}`;

/** What to fetch from a graph built for `choice`. */
export function fetchNames(traits: ModelTraits, choice: Choice): string[] {
  const layers = Array.from({ length: traits.layers }, (_, i) => [newKeys(i), newValues(i)]);
  return [...CHOICE_FETCHES[choice], ...layers.flat()];
}

function find(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`the policy has no tensor ${name}`);
  return tensor;
}

/** Everything of a pass except positions and attention. */
export function commonParts(
  graph: Graph,
  traits: ModelTraits,
  place: MatrixPlace,
): Omit<DecoderParts, 'positions' | 'attend'> {
  const weights = new Map(
    fedTensors(traits, place).map(({ name, dims }) => [name, input(graph, name, 'float32', dims)]),
  );
  const weight = (name: string): Tensor => find(weights, name);
  const half = traits.headDim / 2;
  return {
    traits,
    weight,
    project: projections(graph, traits, place, weight),
    cos: input(graph, 'cos', 'float32', ['positions', half]),
    sin: input(graph, 'sin', 'float32', ['positions', half]),
  };
}

/** Adds the outputs of {@link Choice} for hidden states [R, hidden]. */
export function outputChoice(parts: DecoderParts, hidden: Tensor, choice: Choice): void {
  const { graph } = hidden;
  const logits = parts.project(hidden, headName(parts.traits));
  const rows = hidden.shape.slice(0, 1);
  const scale = input(
    graph,
    'inverse_temperature',
    'float32',
    choice === 'mixed' ? [...rows, 1] : [],
  );
  const probabilities = softmax(mul(logits, scale));
  if (choice !== 'greedy') output(probabilities, 'probabilities');
  if (choice === 'sampled') return;
  const axis = { axis: 1n, keepdims: 0n };
  output(emitOne(graph, 'ArgMax', [logits], { type: 'int64', shape: rows }, axis), 'best');
  if (choice === 'mixed') return;
  const top = emitOne(
    graph,
    'ReduceMax',
    [probabilities, integers(graph, [1])],
    { type: 'float32', shape: rows },
    { keepdims: 0n },
  );
  output(top, 'best_probability');
}
