import { createGraph, input, integers, output, type Graph } from '../graph/graph.ts';
import { concat } from '../graph/operations.ts';
import { foldMask, groupedAttention } from '../models/attention.ts';
import { decoderHidden, type DecoderParts } from '../models/decoder.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import {
  commonParts,
  newKeys,
  newValues,
  outputChoice,
  promptKeys,
  promptValues,
  type Choice,
} from './graph-interface.ts';
import type { MatrixPlace } from './matrices.ts';

/**
 * Prompts in, padded on the right: the next token's distribution, and all keys and values.
 *
 * Feeds: weights by name ({@link fedTensors}), `ids` int32 [B, T], `rows` int64 [B] (flattened positions of the last prompt tokens),
 * `mask` [T, T] (causal), `cos`, `sin` [≥ T, headDim / 2], `inverse_temperature` []. Fetches: {@link fetchNames};
 * keys and values as [B, kvHeads, T, headDim].
 */
export function buildPrefillGraph(traits: ModelTraits, choice: Choice, place: MatrixPlace): Graph {
  const graph = createGraph();
  const folded = foldMask(
    input(graph, 'mask', 'float32', ['T', 'T']),
    traits.heads / traits.kvHeads,
  );
  const parts: DecoderParts = {
    ...commonParts(graph, traits, place),
    positions: integers(graph, [0]),
    attend: (q, k, v, layer) => {
      output(k, newKeys(layer));
      output(v, newValues(layer));
      return groupedAttention(q, k, v, folded);
    },
  };
  const ids = input(graph, 'ids', 'int32', ['B', 'T']);
  const rows = input(graph, 'rows', 'int64', ['R']);
  outputChoice(parts, decoderHidden(parts, ids, rows), choice);
  return graph;
}

/**
 * More of one prompt whose beginning was prefilled: the next token's distribution, and the keys and values of what is new.
 *
 * Feeds: as {@link buildPrefillGraph} with one prompt, and `start` int64 [1] (tokens before), the keys and values of these
 * by the decode graph's names [1, kvHeads, P, headDim]; `mask` is [T, P + T]. Fetches: the same.
 */
export function buildContinuedPrefillGraph(
  traits: ModelTraits,
  choice: Choice,
  place: MatrixPlace,
): Graph {
  const graph = createGraph();
  const { heads, kvHeads, headDim } = traits;
  const folded = foldMask(input(graph, 'mask', 'float32', ['T', 'S']), heads / kvHeads);
  const past = [1, kvHeads, 'P', headDim];
  const parts: DecoderParts = {
    ...commonParts(graph, traits, place),
    positions: input(graph, 'start', 'int64', [1]),
    attend: (q, k, v, layer) => {
      output(k, newKeys(layer));
      output(v, newValues(layer));
      const keys = concat([input(graph, promptKeys(layer), 'float32', past), k], 2, 'S');
      const values = concat([input(graph, promptValues(layer), 'float32', past), v], 2, 'S');
      return groupedAttention(q, keys, values, folded);
    },
  };
  const ids = input(graph, 'ids', 'int32', [1, 'T']);
  const rows = input(graph, 'rows', 'int64', ['R']);
  outputChoice(parts, decoderHidden(parts, ids, rows), choice);
  return graph;
}
