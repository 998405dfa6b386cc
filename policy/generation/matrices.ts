import { externalInitializer, type Graph, type Tensor } from '../graph/graph.ts';
import type { SessionData } from '../graph/session.ts';
import { linear, type DecoderParts } from '../models/decoder.ts';
import type { Weights } from '../models/initial-weights.ts';
import {
  EMBEDDING,
  headName,
  layerNames,
  tensorSpecs,
  type ModelTraits,
  type TensorSpec,
} from '../models/model-traits.ts';
import { int8Linear } from './int8-linear.ts';
import { int8Data, type Int8Group, type WeightType } from './int8-weights.ts';

/**
 * Where the matrices are that activations are multiplied with: fed with every run; part of the session, which ONNX Runtime
 * then lays out in its own order once instead of at every product; or part of it in 8 bits.
 */
export type MatrixPlace = 'fed' | 'packed' | WeightType;

/** The matrices of a pass: projections and the output layer, which may be the embedding. */
export function matrixSpecs(traits: ModelTraits): TensorSpec[] {
  return tensorSpecs(traits).filter(
    ({ role, dims }) => dims.length === 2 && (role !== 'embedding' || traits.tied),
  );
}

/** The tensors that are fed: all but matrices of the session; tokens are looked up in an embedding that is fed. */
export function fedTensors(traits: ModelTraits, place: MatrixPlace): TensorSpec[] {
  const own = new Set(place === 'fed' ? [] : matrixSpecs(traits).map(({ name }) => name));
  return tensorSpecs(traits).filter(({ name }) => name === EMBEDDING || !own.has(name));
}

/** Name of the external initializer with a matrix in fp32. */
const packedMatrix = (name: string): string => `packed.${name}`;

/** What a session with matrices of its own is made of. */
export function matrixData(
  traits: ModelTraits,
  place: Exclude<MatrixPlace, 'fed'>,
  weights: Weights,
): SessionData {
  if (place !== 'packed') return int8Data(int8Groups(traits), weights, place);
  return new Map(
    matrixSpecs(traits).map(({ name }) => [packedMatrix(name), weights.get(name)!.data]),
  );
}

/** The projections of a graph with its matrices in this place. @param fed a fed tensor by its Hugging Face name */
export function projections(
  graph: Graph,
  traits: ModelTraits,
  place: MatrixPlace,
  fed: (name: string) => Tensor,
): DecoderParts['project'] {
  if (place === 'fed') return (x, name) => linear(x, fed(name));
  if (place !== 'packed') return int8Linear(graph, int8Groups(traits), place);
  const packed = new Map(
    matrixSpecs(traits).map(({ name, dims }) => [
      name,
      externalInitializer(graph, packedMatrix(name), 'float32', dims),
    ]),
  );
  return (x, name) => linear(x, packed.get(name)!);
}

/**
 * All matrices, those together that take the same activations. One byte is enough for the activations of some: in SmolLM2-135M one byte
 * everywhere takes the policy that is sampled nine times as far from the trained one as two bytes do; here it takes it less than
 * three times as far, for half of the gain in time.
 */
function int8Groups(traits: ModelTraits): Int8Group[] {
  const specs = new Map(matrixSpecs(traits).map((spec) => [spec.name, spec.dims]));
  const group = (names: readonly string[], twoBytes: boolean): Int8Group => {
    const dims = names.map((name) => specs.get(name) ?? []);
    const [name = ''] = names;
    const [[, columns = 0] = []] = dims;
    return { name, names, rows: dims.map(([rows = 0]) => rows), columns, twoBytes };
  };
  const layers = Array.from({ length: traits.layers }, (_, layer) => {
    const { query, key, value, attentionOutput, gate, up, down } = layerNames(layer);
    return [
      group([query, key, value], true),
      group([attentionOutput], false),
      group([gate, up], false),
      group([down], true),
    ];
  });
  return [...layers.flat(), group([headName(traits)], true)];
}
