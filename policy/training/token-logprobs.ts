import { withGradient, type Tensor } from '../graph/graph.ts';
import {
  dimension,
  exp,
  gather,
  gemm,
  logSoftmax,
  matMul,
  mul,
  neg,
  pick,
  reduceSum,
  reshape,
  scatterAdd,
  sub,
} from '../graph/operations.ts';

export interface TokenLogprobs {
  /** log p(target) of each row, [R]. */
  readonly logprobs: Tensor;
  /** log p of the whole vocabulary, [R, V]. Not differentiable. */
  readonly all: Tensor;
}

/**
 * Log-probabilities of target tokens from hidden states, under softmax(h·Eᵀ · inverseTemperature).
 *
 * With g the gradient by row and P the probabilities, dlogits = g∘(onehot − P) is never built:
 * dh = g∘(E[target] − P·E), dE = −Pᵀ·(g∘h) with g∘h added at the targets' rows.
 * @param hidden [R, H]. @param head [V, H]. @param targets [R]. @param inverseTemperature shape [].
 */
export function tokenLogprobs(
  hidden: Tensor,
  head: Tensor,
  targets: Tensor,
  inverseTemperature: Tensor,
): TokenLogprobs {
  const scaled = mul(hidden, inverseTemperature);
  const all = logSoftmax(matMul(scaled, head, { transB: true }));
  const logprobs = pick(all, targets);
  withGradient('tokenLogprobs', [scaled, head], [logprobs], (_operation, [g], wanted) => {
    if (g === null || g === undefined) return [null, null];
    const column = reshape(g, [-1, 1], [dimension(g, 0), 1]);
    const probabilities = exp(all);
    const expected = matMul(probabilities, head);
    const weighted = mul(column, scaled);
    return [
      mul(column, sub(gather(head, targets), expected)),
      wanted[1] === true
        ? (sum) => {
            const spread = gemm(
              probabilities,
              weighted,
              { transA: true, alpha: -1 },
              sum ?? undefined,
            );
            return scatterAdd(spread, targets, weighted);
          }
        : null,
    ];
  });
  return { logprobs, all };
}

/** Entropy in nats of each row of log-probabilities, [R]. */
export function entropies(all: Tensor): Tensor {
  return neg(reduceSum(mul(exp(all), all), [-1]));
}
