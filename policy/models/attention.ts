import { withGradient, type Tensor } from '../graph/graph.ts';
import {
  add,
  concat,
  dimension,
  matMul,
  mul,
  reduceSum,
  reshape,
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
