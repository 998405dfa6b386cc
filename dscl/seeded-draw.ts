import { createHash } from 'node:crypto';

/**
 * Pseudo-random draws that Postgres can make, too: it picks batches without loading the corpus. MD5 serves as a mixing
 * function that both sides have; nothing here is secret.
 */
function md5(...parts: readonly (string | number)[]): string {
  return createHash('md5').update(parts.join(':')).digest('hex');
}

/**
 * Gumbel noise of a sample in a step: −ln(−ln u), u = (first 13 hexadecimal digits of md5(`runSeed:step:sampleId`) + ½)/2^52,
 * which is never 0 or 1.
 */
export function gumbelNoise(runSeed: number, step: number, sampleId: string): number {
  const u = (Number.parseInt(md5(runSeed, step, sampleId).slice(0, 13), 16) + 0.5) / 2 ** 52;
  return -Math.log(-Math.log(u));
}

/** Sorting by this key, ascending, shuffles an epoch. */
export function shuffleKey(runSeed: number, epoch: number, sampleId: string): string {
  return md5(runSeed, epoch, sampleId);
}

/**
 * Two uniform numbers in [0, 1), from the digits of md5(`runSeed:step:stream:number`): of the draws of a step (`draw`), and of the
 * proposals behind those that are by importance (`proposal`).
 */
export function uniformPair(
  runSeed: number,
  step: number,
  stream: 'draw' | 'proposal',
  number: number,
): readonly [number, number] {
  const digits = md5(runSeed, step, stream, number);
  const uniform = (from: number): number =>
    Number.parseInt(digits.slice(from, from + 13), 16) / 2 ** 52;
  return [uniform(0), uniform(13)];
}
