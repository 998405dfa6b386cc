import { emitOne, input, integers, output, type Tensor } from '../graph/graph.ts';
import { dimension, lessOrEqual, mul, reduceSum, reshape, sub } from '../graph/operations.ts';
import { floatData, type Feeds } from '../graph/session.ts';
import { drawToken, type DrawnToken } from './token-sampler.ts';

/*
 * A draw from a large vocabulary within the graph, as far as a block of neighbouring tokens; only the block leaves it. To copy whole
 * distributions out takes half as long as to compute their logits at 50,000 tokens, and with more it gets worse.
 */

/** A copy of fewer tokens is cheap, and a graph's own operations are not free. */
const LARGE_VOCABULARY = 8192;
/** Vocabularies are padded to multiples of these for the sake of matrix products. */
const BLOCK_SIZES = [256, 128, 64];

/** Tokens of a block; null for a vocabulary that is small, or not made of whole blocks: its rows are fetched whole. */
export function drawBlock(vocab: number): number | null {
  if (vocab < LARGE_VOCABULARY) return null;
  return BLOCK_SIZES.find((size) => vocab % size === 0) ?? null;
}

/** What to fetch of {@link outputDraws}. */
export const DRAW_FETCHES = ['drawn_block', 'drawn_rest', 'drawn_probabilities'] as const;

/** The blocks that rows' draws fall into. */
export interface DrawnBlocks {
  /** Number of each row's block. */
  readonly blocks: BigInt64Array;
  /** What is left of each row's draw at the block's first token. */
  readonly rests: Float64Array;
  /** [rows, size] */
  readonly probabilities: Float32Array;
  readonly size: number;
}

/**
 * Adds the feed `draws` (float64 [R, 1], in [0, 1)) to a graph, and the block that each falls into: the first at whose end the cumulative
 * probability exceeds draw · the row's sum. Sums of blocks are added in float64: 50,000 probabilities in fp32 sum to 1 within 1e-5 only.
 * @param probabilities [R, V]. @param size of a block.
 */
export function outputDraws(probabilities: Tensor, size: number): void {
  const { graph } = probabilities;
  const rows = dimension(probabilities, 0);
  const count = Number(dimension(probabilities, 1)) / size;
  const doubles = { type: 'float64' as const, shape: [rows, count] };
  const double = { ...doubles, shape: [rows, 1] };
  const draws = input(graph, 'draws', 'float64', double.shape);
  const blocks = reshape(probabilities, [-1, count, size], [rows, count, size]);
  const sums = emitOne(graph, 'Cast', [reduceSum(blocks, [2])], doubles, { to: 11n });
  const ends = emitOne(graph, 'CumSum', [sums, integers(graph, [1])], doubles);
  const last = integers(graph, [count - 1]);
  const total = emitOne(graph, 'Gather', [ends, last], double, { axis: 1n });
  const target = mul(draws, total);
  const before = emitOne(
    graph,
    'Cast',
    [lessOrEqual(ends, target)],
    { ...doubles, type: 'int64' },
    { to: 7n },
  );
  // A draw of at most 1 − 2⁻⁵³ times a sum near 1 is below the sum, rounded too: no target is behind all blocks.
  const block = reduceSum(before, [1], true);
  const starts = sub(ends, sums);
  const start = emitOne(graph, 'GatherElements', [starts, block], double, { axis: 1n });
  const chosen = { type: 'float32' as const, shape: [rows, size] };
  output(block, 'drawn_block');
  output(sub(target, start), 'drawn_rest');
  output(
    emitOne(graph, 'GatherND', [blocks, block], chosen, { batch_dims: 1n }),
    'drawn_probabilities',
  );
}

/** Takes what was fetched apart; null: it was not. */
export function readDraws(results: Feeds): DrawnBlocks | null {
  const blocks = results['drawn_block']?.data;
  const rests = results['drawn_rest']?.data;
  if (!(blocks instanceof BigInt64Array) || !(rests instanceof Float64Array)) return null;
  const probabilities = floatData(results, 'drawn_probabilities');
  return { blocks, rests, probabilities, size: probabilities.length / blocks.length };
}

/** The token of a row that its draw falls on. */
export function tokenOfBlock(
  { blocks, rests, probabilities, size }: DrawnBlocks,
  row: number,
): DrawnToken {
  const { id, logprob } = drawToken(probabilities, row * size, size, rests[row]!, 1);
  return { id: Number(blocks[row]) * size + id, logprob };
}
