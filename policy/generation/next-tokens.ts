import { ToolsampleError } from '../../contracts/errors.ts';
import type { TokenLogprob } from '../../contracts/decoding.ts';
import type { SamplingParameters } from '../../contracts/policy.ts';
import { floatData, type Feeds } from '../graph/session.ts';
import { drawBlock, readDraws, tokenOfBlock, type DrawnBlocks } from './block-draw.ts';
import type { Reading } from './graph-interface.ts';
import { drawToken, uniformDraw, type DrawnToken } from './token-sampler.ts';

/** What a graph said about the next token of each of its rows; null: it was not asked. */
export interface Choices {
  /** The likeliest token of each row, and its probability. */
  readonly best: { readonly ids: BigInt64Array; readonly probabilities: Float32Array } | null;
  readonly drawn: DrawnBlocks | null;
  /** Distributions, [rows, vocab]. */
  readonly whole: Float32Array | null;
}

/** How a row's tokens are chosen. Temperature 0: the likeliest. */
export type TokenChoice = Pick<SamplingParameters, 'temperature' | 'topP'>;

/** One row of {@link Choices}. */
export interface NextTokens {
  readonly results: Choices;
  readonly row: number;
}

/** What a decoding step is to tell of a row with this choice, which does not depend on the other rows. */
export function readingOf(
  vocab: number,
  { temperature, topP }: TokenChoice,
  topLogprobs: number,
): Reading {
  const sampled = temperature > 0;
  const drawn = sampled && topP >= 1 && drawBlock(vocab) !== null;
  return { drawn, whole: (sampled && !drawn) || topLogprobs > 0 };
}

/** Takes a run's fetches apart. */
export function readChoices(results: Feeds): Choices {
  const ids = results['best']?.data;
  const greedy = ids instanceof BigInt64Array;
  return {
    best: greedy ? { ids, probabilities: floatData(results, 'best_probability') } : null,
    drawn: readDraws(results),
    whole: results['probabilities'] === undefined ? null : floatData(results, 'probabilities'),
  };
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
  { results: { best, drawn, whole }, row }: NextTokens,
  vocab: number,
  { temperature, topP }: TokenChoice,
  seed: number,
  position: number,
): DrawnToken {
  if (temperature === 0 && best !== null) {
    return { id: Number(best.ids[row]), logprob: Math.log(best.probabilities[row]!) };
  }
  if (topP >= 1 && drawn !== null) return tokenOfBlock(drawn, row);
  if (whole === null) throw new Error('the graph told nothing to choose a token from');
  return drawToken(whole, row * vocab, vocab, uniformDraw(seed, position), topP);
}

/** The likeliest tokens of a row, likeliest first, equal ones by id. @param count few. */
export function likeliestTokens(
  { results, row }: NextTokens,
  vocab: number,
  count: number,
): TokenLogprob[] {
  if (count === 0 || results.whole === null) return [];
  const probabilities = results.whole.subarray(row * vocab, (row + 1) * vocab);
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
