import { hashSeed } from '../../contracts/hash.ts';

/** A token, and the log of its probability before top-p. */
export interface DrawnToken {
  readonly id: number;
  readonly logprob: number;
}

/** A uniform number in [0, 1) for one token of one completion; nothing else influences it. */
export function uniformDraw(seed: number, position: number): number {
  return hashSeed('token', seed, position) / 2 ** 53;
}

/**
 * Draws from one row of probabilities by inversion: the first token, in the order of ids, at which the cumulative probability
 * exceeds `u` times the total. With `topP` < 1 only the nucleus takes part: the fewest tokens whose probabilities sum to topP,
 * likeliest first.
 * @param probabilities all rows, one after another. @param start first element of this row. @param size vocabulary size.
 */
export function drawToken(
  probabilities: Float32Array,
  start: number,
  size: number,
  u: number,
  topP: number,
): DrawnToken {
  if (topP < 1) return drawFromNucleus(probabilities, start, size, u, topP);
  // The sum is 1 up to rounding; where rounding leaves `u` beyond it, the last possible token is taken.
  let left = u;
  let last = 0;
  for (let i = 0; i < size; i++) {
    const p = probabilities[start + i]!;
    if (p <= 0) continue;
    last = i;
    left -= p;
    if (left < 0) break;
  }
  return { id: last, logprob: Math.log(probabilities[start + last]!) };
}

function drawFromNucleus(
  probabilities: Float32Array,
  start: number,
  size: number,
  u: number,
  topP: number,
): DrawnToken {
  const nucleus = nucleusOf(probabilities, start, size, topP);
  const mass = nucleus.reduce((sum, id) => sum + probabilities[start + id]!, 0);
  let left = u * mass;
  let drawn = nucleus[0]!;
  for (const id of nucleus) {
    drawn = id;
    left -= probabilities[start + id]!;
    if (left < 0) break;
  }
  return { id: drawn, logprob: Math.log(probabilities[start + drawn]!) };
}

/**
 * Sorting a whole vocabulary would cost more than the forward pass: tokens above a threshold are collected, and the threshold
 * is lowered until they hold enough mass.
 */
const THRESHOLDS = [2 ** -10, 2 ** -16, 2 ** -24, 0];

/** Ids of the nucleus, likeliest first, equal ones by id. */
function nucleusOf(
  probabilities: Float32Array,
  start: number,
  size: number,
  topP: number,
): number[] {
  let candidates: number[] = [];
  for (const threshold of THRESHOLDS) {
    candidates = [];
    let mass = 0;
    for (let i = 0; i < size; i++) {
      const p = probabilities[start + i]!;
      if (p <= threshold) continue;
      candidates.push(i);
      mass += p;
    }
    if (mass >= topP) break;
  }
  candidates.sort((a, b) => probabilities[start + b]! - probabilities[start + a]! || a - b);
  let sum = 0;
  const end = candidates.findIndex((id) => (sum += probabilities[start + id]!) >= topP);
  return end < 0 ? candidates : candidates.slice(0, end + 1);
}
