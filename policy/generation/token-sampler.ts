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
 * exceeds `u`. With `topP` < 1 only the nucleus takes part: the fewest tokens whose probabilities sum to topP,
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
  // The sum is 1 up to rounding, which is 1e-5 with a large vocabulary: so much of the last ids' probability is never drawn, or the last
  // possible token takes it where the sum falls short.
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

/** Probabilities with the same upper bits share a bin: 64 bins for each power of two. */
const BIN_BITS = 17;
const BINS = 2 ** (31 - BIN_BITS);
/** Few tokens of a sharp distribution are above the first threshold, and they are enough. */
const THRESHOLDS = [2 ** -10, 0];
/** Room for a token's id beside the 31 bits of its probability, within the 53 of a number. */
const ID_RANGE = 2 ** 22;

/**
 * Sorting a whole vocabulary would cost more than the forward pass. A histogram tells in which bin the nucleus ends and in which
 * one the draw falls; only the tokens of these two are sorted.
 */
function drawFromNucleus(
  probabilities: Float32Array,
  start: number,
  size: number,
  u: number,
  topP: number,
): DrawnToken {
  const row = probabilities.subarray(start, start + size);
  // The bits of positive floats are ordered like the floats.
  const bits = new Uint32Array(row.buffer, row.byteOffset, size);
  const masses = new Float64Array(BINS);
  for (const threshold of THRESHOLDS) {
    masses.fill(0);
    let total = 0;
    for (let i = 0; i < size; i++) {
      const p = row[i]!;
      if (p <= threshold) continue;
      masses[bits[i]! >>> BIN_BITS]! += p;
      total += p;
    }
    if (total >= topP) break;
  }

  let lowest = 0;
  let above = 0;
  let sum = 0;
  for (let bin = BINS - 1; bin >= 0 && sum < topP; bin--) {
    if (masses[bin] === 0) continue;
    lowest = bin;
    above = sum;
    sum += masses[bin]!;
  }
  const last: number[] = [];
  let mass = above;
  for (const id of idsOfBin(bits, lowest)) {
    if (mass >= topP) break;
    last.push(id);
    mass += row[id]!;
  }

  let left = u * mass;
  let drawnBin = BINS - 1;
  while (drawnBin > lowest && left >= masses[drawnBin]!) left -= masses[drawnBin--]!;
  let drawn = Number.NaN;
  for (const id of drawnBin === lowest ? last : idsOfBin(bits, drawnBin)) {
    drawn = id;
    left -= row[id]!;
    if (left < 0) break;
  }
  return { id: drawn, logprob: Math.log(row[drawn] ?? Number.NaN) };
}

/** Ids of one bin's tokens, likeliest first, equal ones by id; impossible ones left out. */
function idsOfBin(bits: Uint32Array, bin: number): number[] {
  const keys: number[] = [];
  for (let i = 0; i < bits.length; i++) {
    const key = bits[i]!;
    if (key >>> BIN_BITS === bin && key > 0) keys.push(key * ID_RANGE + (ID_RANGE - 1 - i));
  }
  const sorted = Float64Array.from(keys).sort();
  return Array.from(sorted, (key) => ID_RANGE - 1 - (key % ID_RANGE)).toReversed();
}
