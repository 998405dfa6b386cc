import { scalarInt32, withGradient, type Tensor } from '../graph/graph.ts';
import {
  add,
  and,
  concat,
  dimension,
  div,
  exp,
  gather,
  gemm,
  less,
  lessOrEqual,
  log,
  matMul,
  maximum,
  mul,
  pickColumn,
  reduceMax,
  reduceSum,
  reshape,
  scatterAdd,
  sub,
  where,
} from '../graph/operations.ts';
import { rowsAfter } from '../graph/ordering.ts';

/** Rows [start, end) of the output layer: a part of the vocabulary. */
interface Chunk {
  readonly start: number;
  readonly end: number;
}

/** What is to be known besides log-probabilities. */
export interface ChunkedOptions {
  readonly entropy: boolean;
  readonly gradient: boolean;
}

/** What is kept of the chunks so far, by row. All but `expected` are [R, 1]. */
interface Running {
  /** The largest logit l. */
  readonly peak: Tensor;
  /** Σ exp(l − peak). */
  readonly mass: Tensor;
  /** The target's logit; anything before its chunk was met. */
  readonly target: Tensor;
  /** Σ exp(l − peak)·(l − peak), for the entropy. */
  readonly spread: Tensor | null;
  /** Σ exp(l − peak)·E, [R, H], for the gradient. */
  readonly expected: Tensor | null;
}

/** Parts of the vocabulary of at most `size`, as even as can be. */
function chunksOf(vocab: number, size: number): Chunk[] {
  const count = Math.ceil(vocab / size);
  return Array.from({ length: count }, (_, i) => ({
    start: Math.floor((i * vocab) / count),
    end: Math.floor(((i + 1) * vocab) / count),
  }));
}

/**
 * As the plain form of `tokenLogprobs`, but nothing of size [R, V] is ever held: the vocabulary is gone through in chunks, and
 * sums are kept relative to the largest logit so far (online softmax: Milakov and Gimelshein, arXiv 1805.02867).
 *
 * P·E, which dh needs, is summed on the way; only dE computes a chunk's logits a second time.
 * @param scaled hidden states times the inverse temperature, [R, H]. @param head [V, H]. @param targets [R].
 * @param size rows of `head` in one chunk at most.
 */
export function chunkedLogprobs(
  scaled: Tensor,
  head: Tensor,
  targets: Tensor,
  size: number,
  options: ChunkedOptions,
): { readonly logprobs: Tensor; readonly entropies: Tensor | null } {
  const chunks = chunksOf(Number(dimension(head, 0)), size);
  const column = reshape(targets, [-1, 1], [dimension(targets, 0), 1]);
  let running: Running | null = null;
  for (const chunk of chunks) running = addChunk(running, scaled, head, column, chunk, options);
  if (running === null) throw new Error('the vocabulary is not empty');
  const { peak, mass, target, spread, expected } = running;
  const logMass = log(mass);
  const normaliser = add(peak, logMass);
  const logprobs = rowsOf(sub(target, normaliser));
  if (expected !== null) {
    withGradient('chunkedLogprobs', [scaled, head], [logprobs], (_operation, [g], wanted) => {
      if (g === null || g === undefined) return [null, null];
      const weight = reshape(g, [-1, 1], [dimension(g, 0), 1]);
      const error = sub(gather(head, targets), div(expected, mass));
      return [
        wanted[0] === true ? mul(weight, error) : null,
        wanted[1] === true
          ? (sum) => headGradient({ scaled, head, targets, normaliser, weight, chunks }, sum)
          : null,
      ];
    });
  }
  const entropies = spread === null ? null : rowsOf(sub(logMass, div(spread, mass)));
  return { logprobs, entropies };
}

function rowsOf(x: Tensor): Tensor {
  return reshape(x, [-1], [dimension(x, 0)]);
}

function addChunk(
  before: Running | null,
  scaled: Tensor,
  head: Tensor,
  targets: Tensor,
  chunk: Chunk,
  { entropy, gradient }: ChunkedOptions,
): Running {
  const { graph } = scaled;
  const done = before === null ? [scaled] : Object.values(before).filter((x) => x !== null);
  const rows = rowsAfter(head, chunk.start, chunk.end, done);
  const logits = matMul(scaled, rows, { transB: true });
  const start = scalarInt32(graph, chunk.start);
  const inside = and(lessOrEqual(start, targets), less(targets, scalarInt32(graph, chunk.end)));
  const place = where(inside, sub(targets, start), scalarInt32(graph, 0));
  const found = pickColumn(logits, place);
  const own = reduceMax(logits, [-1], true);
  const peak = before === null ? own : maximum(before.peak, own);
  const shifted = sub(logits, peak);
  const powers = exp(shifted);
  const mass = reduceSum(powers, [-1], true);
  const spread = entropy ? reduceSum(mul(powers, shifted), [-1], true) : null;
  if (before === null) {
    return { peak, mass, target: found, spread, expected: gradient ? matMul(powers, rows) : null };
  }
  // What was summed relative to the peak before counts relative to the new one.
  const lower = sub(before.peak, peak);
  const fade = exp(lower);
  return {
    peak,
    mass: add(mul(before.mass, fade), mass),
    target: where(inside, found, before.target),
    spread:
      spread === null || before.spread === null
        ? null
        : add(mul(add(before.spread, mul(lower, before.mass)), fade), spread),
    expected: before.expected === null ? null : gemm(powers, rows, {}, mul(before.expected, fade)),
  };
}

interface HeadGradient {
  readonly scaled: Tensor;
  readonly head: Tensor;
  readonly targets: Tensor;
  /** log Σ exp(l), [R, 1]. */
  readonly normaliser: Tensor;
  /** The gradient by row, [R, 1]. */
  readonly weight: Tensor;
  readonly chunks: readonly Chunk[];
}

/** sum − Pᵀ·(g∘h), with g∘h added at the targets' rows: [V, H]. */
function headGradient(given: HeadGradient, sum: Tensor | null): Tensor {
  const { scaled, head, targets, normaliser, weight, chunks } = given;
  const weighted = mul(weight, scaled);
  const parts: Tensor[] = [];
  for (const { start, end } of chunks) {
    // The first waits for the gradient: until then its logits would only take up room.
    const done = [parts.at(-1) ?? weight, weighted];
    const rows = rowsAfter(head, start, end, done);
    const powers = exp(sub(matMul(scaled, rows, { transB: true }), normaliser));
    const onto = sum === null ? undefined : rowsAfter(sum, start, end, done);
    parts.push(gemm(powers, weighted, { transA: true, alpha: -1 }, onto));
  }
  return scatterAdd(concat(parts, 0, dimension(head, 0)), targets, weighted);
}
