import { ToolsampleError } from '../../contracts/errors.ts';
import type { TokenLogprob } from '../../contracts/decoding.ts';
import type { SamplingParameters } from '../../contracts/policy.ts';
import { floatData, type Feeds } from '../graph/session.ts';
import { drawToken, uniformDraw, type DrawnToken } from './token-sampler.ts';

/** What a graph said about the next token of each of its rows: whole distributions, the likeliest token, or both. */
export type Choices =
  | { readonly kind: 'sampled'; readonly probabilities: Float32Array }
  | { readonly kind: 'greedy'; readonly best: BigInt64Array; readonly probability: Float32Array }
  | {
      readonly kind: 'mixed';
      readonly best: BigInt64Array;
      readonly probabilities: Float32Array;
    };

/** How a row's tokens are chosen. Temperature 0: the likeliest. */
export type TokenChoice = Pick<SamplingParameters, 'temperature' | 'topP'>;

/** One row of {@link Choices}. */
export interface NextTokens {
  readonly results: Choices;
  readonly row: number;
}

/** Takes a run's fetches apart. */
export function readChoices(results: Feeds): Choices {
  const best = results['best']?.data;
  if (!(best instanceof BigInt64Array)) {
    return { kind: 'sampled', probabilities: floatData(results, 'probabilities') };
  }
  return results['probabilities'] === undefined
    ? { kind: 'greedy', best, probability: floatData(results, 'best_probability') }
    : { kind: 'mixed', best, probabilities: floatData(results, 'probabilities') };
}

/**
 * The next token of one completion.
 * @throws ToolsampleError `non-finite` when the policy computes NaN
 * @param vocab size of the vocabulary. @param seed the completion's. @param position index among its tokens.
 */
export function chooseToken(
  { results, row }: NextTokens,
  vocab: number,
  sampling: TokenChoice,
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
  sampling: TokenChoice,
  seed: number,
  position: number,
): DrawnToken {
  if (results.kind === 'greedy') {
    return { id: Number(results.best[row]), logprob: Math.log(results.probability[row]!) };
  }
  if (results.kind === 'mixed' && sampling.temperature === 0) {
    const id = Number(results.best[row]);
    return { id, logprob: Math.log(results.probabilities[row * vocab + id]!) };
  }
  const u = uniformDraw(seed, position);
  return drawToken(results.probabilities, row * vocab, vocab, u, sampling.topP);
}

/** The likeliest tokens of a row, likeliest first, equal ones by id. @param count few. */
export function likeliestTokens(
  { results, row }: NextTokens,
  vocab: number,
  count: number,
): TokenLogprob[] {
  if (count === 0 || results.kind === 'greedy') return [];
  const probabilities = results.probabilities.subarray(row * vocab, (row + 1) * vocab);
  const best: number[] = [];
  for (let id = 0; id < vocab; id++) {
    const p = probabilities[id]!;
    if (best.length === count && p <= probabilities[best[count - 1]!]!) continue;
    const place = best.findIndex((other) => p > probabilities[other]!);
    best.splice(place < 0 ? best.length : place, 0, id);
    best.length = Math.min(best.length, count);
  }
  return best.map((id) => ({ id, logprob: Math.log(probabilities[id]!) }));
}
