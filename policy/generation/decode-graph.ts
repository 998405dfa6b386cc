import { createGraph, emitOne, input, output, type Graph, type Tensor } from '../graph/graph.ts';
import type { Dimension } from '../graph/onnx-format.ts';
import {
  add,
  concat,
  matMul,
  mul,
  reshape,
  softmax,
  split,
  transpose,
} from '../graph/operations.ts';
import { decoderHidden, type DecoderParts } from '../models/decoder.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { drawBlock, outputDraws } from './block-draw.ts';
import {
  commonParts,
  newKeys,
  newValues,
  outputChoice,
  ownKeys,
  ownValues,
  promptKeys,
  promptValues,
  type Choice,
} from './graph-interface.ts';
import type { MatrixPlace } from './matrices.ts';

/**
 * One more token for each row of a grid of P prompts × G completions (row p·G + g).
 *
 * Feeds: weights by name ({@link fedTensors}), `ids` int32 [P·G, 1], `positions` int64 [P·G, 1], prompt keys and values
 * [P, kvHeads, Tp, headDim] (shared by a prompt's rows), own keys and values [P, kvHeads, G, To, headDim],
 * `mask` [P, 1, G, 1, Tp + To + 1] added to the scores of prompt, own past and the token itself, `cos`, `sin`,
 * `inverse_temperature`, {@link gridFeeds}, and `draws` where rows are drawn in the graph ({@link outputDraws}). Fetches:
 * {@link fetchNames}; new keys and values as [P, kvHeads, G, 1, headDim].
 *
 * The past is only read: what is new leaves the graph, and the host appends it. Scores are put together, not keys:
 * joining keys would copy the whole past at every token.
 */
export function buildDecodeGraph(traits: ModelTraits, choice: Choice, place: MatrixPlace): Graph {
  const graph = createGraph();
  const { kvHeads, headDim } = traits;
  const targets = {
    queries: input(graph, 'grid_queries', 'int64', [5]),
    keys: input(graph, 'grid_keys', 'int64', [5]),
    folded: input(graph, 'grid_folded', 'int64', [4]),
    unfolded: input(graph, 'grid_unfolded', 'int64', [5]),
    sections: input(graph, 'sections', 'int64', [3]),
  };
  const mask = input(graph, 'mask', 'float32', ['P', 1, 'G', 1, 'Ts']);
  const prompt = ['P', kvHeads, 'Tp', headDim];
  const own = ['P', kvHeads, 'G', 'To', headDim];
  const parts: DecoderParts = {
    ...commonParts(graph, traits, place),
    positions: input(graph, 'positions', 'int64', ['N', 1]),
    single: true,
    attend: (q, k, v, layer) => {
      const past = {
        promptK: input(graph, promptKeys(layer), 'float32', prompt),
        promptV: input(graph, promptValues(layer), 'float32', prompt),
        ownK: input(graph, ownKeys(layer), 'float32', own),
        ownV: input(graph, ownValues(layer), 'float32', own),
      };
      const grid = toGrid(q, k, v, targets, traits);
      output(grid.k, newKeys(layer));
      output(grid.v, newValues(layer));
      return attendPast(grid, past, mask, targets, traits, q.shape);
    },
  };
  const ids = input(graph, 'ids', 'int32', ['N', 1]);
  const hidden = decoderHidden(parts, ids);
  const rows = reshape(hidden, [-1, traits.hidden], ['N', traits.hidden]);
  const probabilities = outputChoice(parts, rows, choice);
  const block = drawBlock(traits.vocab);
  if (choice !== 'greedy' && block !== null) outputDraws(probabilities, block);
  return graph;
}

interface GridTargets {
  readonly queries: Tensor;
  readonly keys: Tensor;
  readonly folded: Tensor;
  readonly unfolded: Tensor;
  readonly sections: Tensor;
}

/** The int64 feeds that tell the decode graph its sizes: targets of its Reshapes, and of its Split. */
export function gridFeeds(
  traits: ModelTraits,
  completions: number,
  promptLength: number,
  ownLength: number,
): { readonly [name: string]: readonly number[] } {
  const { heads, kvHeads, headDim } = traits;
  const repeats = heads / kvHeads;
  return {
    grid_queries: [-1, completions, kvHeads, repeats, headDim],
    grid_keys: [-1, completions, kvHeads, 1, headDim],
    grid_folded: [0, 0, completions * repeats, -1],
    grid_unfolded: [0, 0, completions, repeats, -1],
    sections: [promptLength, ownLength, 1],
  };
}

interface GridTensors {
  /** [P, kvHeads, G, repeats, headDim] */
  readonly q: Tensor;
  /** [P, kvHeads, G, 1, headDim] */
  readonly k: Tensor;
  readonly v: Tensor;
}

/** From rows [N, heads, 1, headDim] to the grid: the group behind the key heads, so that a prompt's rows lie together. */
function toGrid(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  targets: GridTargets,
  { heads, kvHeads, headDim }: ModelTraits,
): GridTensors {
  const spread = (x: Tensor, target: Tensor, repeats: number): Tensor => {
    const rows = reshapeTo(x, target, ['P', 'G', kvHeads, repeats, headDim]);
    return transpose(rows, [0, 2, 1, 3, 4]);
  };
  return {
    q: spread(q, targets.queries, heads / kvHeads),
    k: spread(k, targets.keys, 1),
    v: spread(v, targets.keys, 1),
  };
}

function attendPast(
  { q, k, v }: GridTensors,
  past: {
    readonly promptK: Tensor;
    readonly promptV: Tensor;
    readonly ownK: Tensor;
    readonly ownV: Tensor;
  },
  mask: Tensor,
  targets: GridTargets,
  { heads, kvHeads, headDim }: ModelTraits,
  result: readonly Dimension[],
): Tensor {
  const repeats = heads / kvHeads;
  const alpha = 1 / Math.sqrt(headDim);
  const scoresOf = (a: Tensor, b: Tensor): Tensor => matMul(a, b, { transB: true, alpha });
  const foldedQ = reshapeTo(q, targets.folded, ['P', kvHeads, 'GR', headDim]);
  const promptScores = reshapeTo(scoresOf(foldedQ, past.promptK), targets.unfolded, [
    'P',
    kvHeads,
    'G',
    repeats,
    'Tp',
  ]);
  const scores = concat([promptScores, scoresOf(q, past.ownK), scoresOf(q, k)], 4, 'Ts');
  const weights = split(softmax(add(scores, mask)), -1, ['Tp', 'To', 1], targets.sections);
  const [onPrompt, onOwn, onSelf] = weights as [Tensor, Tensor, Tensor];
  const foldedWeights = reshapeTo(onPrompt, targets.folded, ['P', kvHeads, 'GR', 'Tp']);
  const fromPrompt = reshapeTo(matMul(foldedWeights, past.promptV), targets.unfolded, q.shape);
  const attended = add(add(fromPrompt, matMul(onOwn, past.ownV)), mul(onSelf, v));
  return reshape(transpose(attended, [0, 2, 1, 3, 4]), [-1, heads, 1, headDim], result);
}

/** Reshape to a target that is fed. */
function reshapeTo(x: Tensor, target: Tensor, shape: readonly Dimension[]): Tensor {
  return emitOne(x.graph, 'Reshape', [x, target], { type: x.type, shape });
}
