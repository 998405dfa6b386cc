import { shuffleKey } from './seeded-draw.ts';

/** Rounds of the Feistel network; four make a permutation pseudo-random, the rest is reserve for small corpora. */
const ROUNDS = 8;

/**
 * The shuffle of an epoch one sample at a time: a seeded permutation of 0 … size − 1, by a Feistel network over the next power of four,
 * walked until it falls inside. [ours]
 *
 * @param place in the shuffle, from 0, less than `size`
 * @returns the place in the corpus; each once
 */
export function permuted(runSeed: number, epoch: number, size: number, place: number): number {
  const half = halfDomain(size);
  let at = place;
  do {
    let left = Math.floor(at / half);
    let right = at % half;
    for (let round = 0; round < ROUNDS; round++) {
      const mixed = Number.parseInt(
        shuffleKey(runSeed, epoch, `${round}:${right}`).slice(0, 12),
        16,
      );
      [left, right] = [right, (left + mixed) % half];
    }
    at = left * half + right;
  } while (at >= size);
  return at;
}

/** The smallest power of two whose square is at least `size`. */
function halfDomain(size: number): number {
  let half = 1;
  while (half * half < size) half *= 2;
  return half;
}
