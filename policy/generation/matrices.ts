import { externalInitializer, type Graph, type Tensor } from '../graph/graph.ts';
import type { SessionData } from '../graph/session.ts';
import { linear, type DecoderParts } from '../models/decoder.ts';
import type { Weights } from '../models/initial-weights.ts';
import {
  EMBEDDING,
  layerNames,
  tensorSpecs,
  type ModelTraits,
  type TensorSpec,
} from '../models/model-traits.ts';
import { int8Linear } from './int8-linear.ts';
import { int8Data, type WeightType } from './int8-weights.ts';

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
  const specs = matrixSpecs(traits);
  if (place !== 'packed') return int8Data(specs, weights, place);
  return new Map(specs.map(({ name }) => [packedMatrix(name), weights.get(name)!.data]));
}

/** The projections of a graph with its matrices in this place. @param fed a fed tensor by its Hugging Face name */
export function projections(
  graph: Graph,
  traits: ModelTraits,
  place: MatrixPlace,
  fed: (name: string) => Tensor,
): DecoderParts['project'] {
  if (place === 'fed') return (x, name) => linear(x, fed(name));
  const specs = matrixSpecs(traits);
  if (place !== 'packed') return int8Linear(graph, specs, place, oneByteMatrices(traits));
  const packed = new Map(
    specs.map(({ name, dims }) => [
      name,
      externalInitializer(graph, packedMatrix(name), 'float32', dims),
    ]),
  );
  return (x, name) => linear(x, packed.get(name)!);
}

/**
 * The matrices whose activations one byte is enough for. In SmolLM2-135M one byte everywhere takes the policy that is sampled nine times
 * as far from the trained one as two bytes do; here it takes it less than three times as far, for half of the gain in time.
 */
function oneByteMatrices({ layers }: ModelTraits): ReadonlySet<string> {
  const names = Array.from({ length: layers }, (_, layer) => layerNames(layer));
  return new Set(names.flatMap(({ gate, up, attentionOutput }) => [gate, up, attentionOutput]));
}
