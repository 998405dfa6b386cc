import { integers, withGradient, type Tensor } from '../graph/graph.ts';
import {
  add,
  concat,
  dimension,
  lengthOf,
  matMul,
  mul,
  reduceSum,
  reshape,
  slice,
  softmax,
  sub,
} from '../graph/operations.ts';

/**
 * Folds the query heads that share a key head into rows: [B, heads, T, hd] → [B, kvHeads, G·T, hd], group-major.
 * Grouped-query attention then needs no copies of keys and values.
 */
function foldGroups(q: Tensor, kvHeads: number): Tensor {
  const shape = [dimension(q, 0), kvHeads, foldedRows(q, kvHeads), dimension(q, 3)];
  return reshape(q, [0, kvHeads, -1, Number(dimension(q, 3))], shape);
}

function foldedRows(q: Tensor, kvHeads: number): number | string {
  const group = Number(dimension(q, 1)) / kvHeads;
  const length = dimension(q, 2);
  if (typeof length === 'number') return group * length;
  return group === 1 ? length : `${group}*${length}`;
}

/** A mask over query rows [..., T, S] for the folded rows [..., G·T, S]. */
export function foldMask(mask: Tensor, group: number): Tensor {
  if (group === 1) return mask;
  const rows = dimension(mask, -2);
  const size = typeof rows === 'number' ? group * rows : `${group}*${rows}`;
  const copies = Array.from({ length: group }, () => mask);
  return concat(copies, mask.shape.length - 2, size);
}

/** A part of the queries, and the keys that they look at: those up to the part's own end. */
interface QueryBlock {
  readonly start: Tensor;
  readonly end: Tensor;
  /** Names of its length and of its end, as dimensions. */
  readonly size: string;
  readonly reach: string;
  /** [..., G·size, reach]. */
  readonly mask: Tensor;
}

/**
 * Divides causal attention by queries, so that what no query of a part sees is not computed at all: with n equal parts (n + 1) / 2n
 * of it is left.
 * @param mask [..., T, T], masked above the diagonal at least. @param group query heads a key head.
 * @param ends where the parts end, but the last; int64 [parts − 1]. @param parts how many.
 */
export function queryBlocks(
  mask: Tensor,
  group: number,
  ends: Tensor,
  parts: number,
): readonly QueryBlock[] {
  const { graph } = mask;
  const [rows, columns] = [mask.shape.length - 2, mask.shape.length - 1];
  const all = String(dimension(mask, -1));
  let start = integers(graph, [0]);
  return Array.from({ length: parts }, (_, i) => {
    const from = start;
    const last = i === parts - 1;
    const place = [i, i + 1].map((at) => integers(graph, [at]));
    const [at, next] = place;
    if (!at || !next) throw new Error('two places');
    const end = last
      ? lengthOf(mask, integers(graph, [columns]))
      : slice(ends, 0, { start: at, end: next, size: 1 });
    const size = `${all}[${i}]`;
    const reach = last ? all : `${all}[0..${i}]`;
    const seen = slice(slice(mask, rows, { start: from, end, size }), columns, {
      start: integers(graph, [0]),
      end,
      size: reach,
    });
    start = end;
    return { start: from, end, size, reach, mask: foldMask(seen, group) };
  });
}

/** {@link groupedAttention} of all queries to all keys, part by part. q, k, v as there, S = T. */
export function blockedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  blocks: readonly QueryBlock[],
): Tensor {
  const outputs = blocks.map(({ start, end, size, reach, mask }) => {
    const keys = { start: integers(q.graph, [0]), end, size: reach };
    return groupedAttention(
      slice(q, 2, { start, end, size }),
      slice(k, 2, keys),
      slice(v, 2, keys),
      mask,
    );
  });
  return concat(outputs, 2, dimension(q, 2));
}

/**
 * Softmax attention with grouped queries.
 * @param q [B, heads, T, hd]. @param k, v [B, kvHeads, S, hd].
 * @param mask added to the scores, [G·T, S] or what broadcasts to [B, kvHeads, G·T, S]; see {@link foldMask}.
 * @returns [B, heads, T, hd].
 */
export function groupedAttention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor): Tensor {
  const kvHeads = Number(dimension(k, 1));
  const width = Number(dimension(q, 3));
  const folded = foldGroups(q, kvHeads);
  const out = attend(folded, k, v, mask, 1 / Math.sqrt(width));
  return reshape(out, [0, Number(dimension(q, 1)), -1, width], q.shape);
}

/** softmax(scale·q·kᵀ + mask)·v with its own gradient: rowsum(dP∘P) = rowsum(dO∘O), which is narrower. */
function attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: number): Tensor {
  const weights = softmax(add(matMul(q, k, { transB: true, alpha: scale }), mask));
  const out = matMul(weights, v);
  withGradient('attention', [q, k, v], [out], (_operation, [g]) => {
    if (g === null || g === undefined) return [null, null, null];
    const share = reduceSum(mul(g, out), [-1], true);
    const scores = mul(weights, sub(matMul(g, v, { transB: true }), share));
    return [
      matMul(scores, k, { alpha: scale }),
      matMul(scores, q, { transA: true, alpha: scale }),
      matMul(weights, g, { transA: true }),
    ];
  });
  return out;
}
