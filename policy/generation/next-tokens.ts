import { ToolsampleError } from '../../contracts/errors.ts';
import type { SamplingParameters } from '../../contracts/policy.ts';
import { floatData, type Feeds } from '../graph/session.ts';
import { drawToken, uniformDraw, type DrawnToken } from './token-sampler.ts';

/** What a graph said about the next token of each of its rows: whole distributions, or only the likeliest token. */
export type Choices =
  | { readonly kind: 'sampled'; readonly probabilities: Float32Array }
  | { readonly kind: 'greedy'; readonly best: BigInt64Array; readonly probability: Float32Array };

/** One row of {@link Choices}. */
export interface NextTokens {
  readonly results: Choices;
  readonly row: number;
}

/** Takes a run's fetches apart. */
export function readChoices(results: Feeds): Choices {
  const best = results['best']?.data;
  if (best instanceof BigInt64Array) {
    return { kind: 'greedy', best, probability: floatData(results, 'best_probability') };
  }
  return { kind: 'sampled', probabilities: floatData(results, 'probabilities') };
}

/**
 * The next token of one completion.
 * @throws ToolsampleError `non-finite` when the policy computes NaN
 * @param vocab size of the vocabulary. @param seed the completion's. @param position index among its tokens.
 */
export function chooseToken(
  { results, row }: NextTokens,
  vocab: number,
  sampling: SamplingParameters,
  seed: number,
  position: number,
): DrawnToken {
  const token = readToken({ results, row }, vocab, sampling, seed, position);
  if (Number.isFinite(token.logprob)) return token;
  throw new ToolsampleError('non-finite', "the policy's probabilities are not numbers", {
    hint: 'training has diverged: lower learningRate or maxGradNorm and go on from an earlier checkpoint',
  });
}

function readToken(
  { results, row }: NextTokens,
  vocab: number,
  sampling: SamplingParameters,
  seed: number,
  position: number,
): DrawnToken {
  if (results.kind === 'greedy') {
    return { id: Number(results.best[row]), logprob: Math.log(results.probability[row]!) };
  }
  const u = uniformDraw(seed, position);
  return drawToken(results.probabilities, row * vocab, vocab, u, sampling.topP);
}
