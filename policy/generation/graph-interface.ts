import {
  emitOne,
  externalInitializer,
  input,
  integers,
  output,
  type Graph,
  type Tensor,
} from '../graph/graph.ts';
import { mul, softmax } from '../graph/operations.ts';
import { linear, decoderLogits, type DecoderParts } from '../models/decoder.ts';
import {
  EMBEDDING,
  tensorSpecs,
  type ModelTraits,
  type TensorSpec,
} from '../models/model-traits.ts';

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

/**
 * Where the matrices are that activations are multiplied with: fed with every run, or part of the session, which ONNX Runtime
 * then lays out in its own order once instead of at every product.
 */
export type MatrixPlace = 'fed' | 'packed';

/** Name of the external initializer with a matrix. */
export const packedMatrix = (name: string): string => `packed.${name}`;

/** The matrices of {@link MatrixPlace}: projections and the output layer, which may be the embedding. */
export function matrixSpecs(traits: ModelTraits): TensorSpec[] {
  return tensorSpecs(traits).filter(
    ({ role, dims }) => dims.length === 2 && (role !== 'embedding' || traits.tied),
  );
}

/** The tensors that are fed: all but packed matrices; tokens are looked up in an embedding that is fed. */
export function fedTensors(traits: ModelTraits, place: MatrixPlace): TensorSpec[] {
  const packed = new Set(place === 'fed' ? [] : matrixSpecs(traits).map(({ name }) => name));
  return tensorSpecs(traits).filter(({ name }) => name === EMBEDDING || !packed.has(name));
}

/** A pass of generation. */
export interface GenerationParts extends DecoderParts {
  /** A matrix of {@link MatrixPlace} by its Hugging Face name. */
  readonly matrix: (name: string) => Tensor;
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
): Omit<GenerationParts, 'positions' | 'attend'> {
  const weights = new Map(
    fedTensors(traits, place).map(({ name, dims }) => [name, input(graph, name, 'float32', dims)]),
  );
  const matrices =
    place === 'fed'
      ? weights
      : new Map(
          matrixSpecs(traits).map(({ name, dims }) => [
            name,
            externalInitializer(graph, packedMatrix(name), 'float32', dims),
          ]),
        );
  const matrix = (name: string): Tensor => find(matrices, name);
  const half = traits.headDim / 2;
  return {
    traits,
    weight: (name) => find(weights, name),
    matrix,
    project: (x, name) => linear(x, matrix(name)),
    cos: input(graph, 'cos', 'float32', ['positions', half]),
    sin: input(graph, 'sin', 'float32', ['positions', half]),
  };
}

/** Adds the outputs of {@link Choice} for hidden states [R, hidden]. */
export function outputChoice(parts: GenerationParts, hidden: Tensor, choice: Choice): void {
  const { graph } = hidden;
  const logits = decoderLogits({ traits: parts.traits, weight: parts.matrix }, hidden);
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
