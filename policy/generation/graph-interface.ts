import { emitOne, input, output, type Graph, type Tensor } from '../graph/graph.ts';
import { mul, reduceMax, softmax } from '../graph/operations.ts';
import type { DecoderParts } from '../models/decoder.ts';
import { headName, type ModelTraits } from '../models/model-traits.ts';
import { DRAW_FETCHES } from './block-draw.ts';
import { fedTensors, projections, type MatrixPlace } from './matrices.ts';

/**
 * What a graph gives for each row: `probabilities` [rows, vocab] of softmax(logits · inverse_temperature), or, greedy,
 * `best` (int64 [rows]) and `best_probability` [rows], which spares copying the vocabulary. `mixed`: rows that are chosen in
 * different ways, all of these; inverse_temperature is [rows, 1] then.
 */
export type Choice = 'sampled' | 'greedy' | 'mixed';

/** What is read of distributions besides the likeliest token. */
export interface Reading {
  readonly whole: boolean;
  /** The blocks that draws fall into, of graphs that draw. */
  readonly drawn: boolean;
}

/** Name of the fetch with a layer's new keys or values. */
export const newKeys = (layer: number): string => `new_k.${layer}`;
export const newValues = (layer: number): string => `new_v.${layer}`;
/** Names of the feeds with the keys and values of the prompts and of the tokens generated so far. */
export const promptKeys = (layer: number): string => `prompt_k.${layer}`;
export const promptValues = (layer: number): string => `prompt_v.${layer}`;
export const ownKeys = (layer: number): string => `own_k.${layer}`;
export const ownValues = (layer: number): string => `own_v.${layer}`;

/** What to fetch from a graph built for `choice`. */
export function fetchNames(
  traits: ModelTraits,
  choice: Choice,
  { whole, drawn }: Reading = { whole: choice !== 'greedy', drawn: false },
): string[] {
  const layers = Array.from({ length: traits.layers }, (_, i) => [newKeys(i), newValues(i)]);
  return [
    ...(choice === 'sampled' ? [] : ['best', 'best_probability']),
    ...(whole ? ['probabilities'] : []),
    ...(drawn ? DRAW_FETCHES : []),
    ...layers.flat(),
  ];
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

/** Adds the outputs of {@link Choice} for hidden states [R, hidden]; the probabilities, [R, vocab]. */
export function outputChoice(parts: DecoderParts, hidden: Tensor, choice: Choice): Tensor {
  const { graph } = hidden;
  const rows = hidden.shape.slice(0, 1);
  const scale = input(
    graph,
    'inverse_temperature',
    'float32',
    choice === 'mixed' ? [...rows, 1] : [],
  );
  // Temperature scales hidden states, which are far fewer than logits.
  const logits = parts.project(mul(hidden, scale), headName(parts.traits));
  const probabilities = softmax(logits);
  if (choice !== 'greedy') output(probabilities, 'probabilities');
  if (choice === 'sampled') return probabilities;
  const axis = { axis: 1n, keepdims: 0n };
  output(emitOne(graph, 'ArgMax', [logits], { type: 'int64', shape: rows }, axis), 'best');
  output(reduceMax(probabilities, [1]), 'best_probability');
  return probabilities;
}
