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
import { chunkedLogprobs } from './chunked-logprobs.ts';

export interface TokenLogprobs {
  /** log p(target) of each row, [R]. */
  readonly logprobs: Tensor;
  /** Entropy in nats of each row, [R]. Not differentiable. Only where it was asked for. */
  readonly entropies: () => Tensor;
}

/** What is computed besides log-probabilities. */
export interface TokenLogprobOptions {
  readonly entropy: boolean;
  /** Whether a gradient will be asked for. */
  readonly gradient: boolean;
  /** Default: {@link CHUNK_ROWS}. */
  readonly chunkRows?: number;
}

/** A larger vocabulary is gone through in chunks of at most so many tokens: 32 kB of logits per row. */
export const CHUNK_ROWS = 8192;

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
  options: TokenLogprobOptions,
): TokenLogprobs {
  const scaled = mul(hidden, inverseTemperature);
  const size = options.chunkRows ?? CHUNK_ROWS;
  if (Number(dimension(head, 0)) <= size) return plainLogprobs(scaled, head, targets);
  const { logprobs, entropies } = chunkedLogprobs(scaled, head, targets, size, options);
  return {
    logprobs,
    entropies: () => {
      if (entropies !== null) return entropies;
      throw new Error('the entropy has to be asked for when the log-probabilities are made');
    },
  };
}

/** With all logits at once, [R, V]: the quickest for a small vocabulary. */
function plainLogprobs(scaled: Tensor, head: Tensor, targets: Tensor): TokenLogprobs {
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
  return { logprobs, entropies: () => neg(reduceSum(mul(exp(all), all), [-1])) };
}
