/** Queries at least that long are worth dividing: below, the smaller products cost what they save (measured). */
const LENGTH = 512;
const PARTS = 8;

/** The longest rows that are not divided: they may take more memory than longer ones. */
export const LONGEST_WHOLE = LENGTH - 1;

/** In how many parts attention over rows of these lengths is computed; short rows, as ever, whole. */
export function attentionParts(lengths: readonly number[]): number {
  return Math.max(...lengths) >= LENGTH && Math.min(...lengths) >= PARTS ? PARTS : 1;
}

/** How much of whole attention is left: a part looks at no key behind its own end. */
export function attendedShare(parts: number): number {
  return (parts + 1) / (2 * parts);
}

/** Where the parts of a row end, but the last. */
export function partEnds(length: number, parts: number): BigInt64Array {
  return BigInt64Array.from({ length: parts - 1 }, (_, i) =>
    BigInt(Math.floor(((i + 1) * length) / parts)),
  );
}
