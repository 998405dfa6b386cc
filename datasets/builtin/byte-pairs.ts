/** Byte-pair encoding: learning the merges. Applying them at run time is `@huggingface/tokenizers`' work. */

/** How byte-level BPE writes each byte as a printable character (GPT-2's convention, which the HF format expects). */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(isPrintable(byte) ? byte : next++),
  );
}

/** A text's UTF-8 bytes, one character each. */
export function byteLevel(text: string): string {
  return Array.from(Buffer.from(text, 'utf8'), (byte) => BYTE_CHARACTERS[byte]).join('');
}

/**
 * Learns merges greedily: the pair that occurs most often becomes one token, until there are enough.
 * Equal counts are decided by the pair's text, so the same words always give the same merges.
 *
 * @param words how often each pre-token (in {@link byteLevel} form) occurs
 * @param count merges to learn; fewer when no pair occurs twice
 */
export function learnMerges(
  words: ReadonlyMap<string, number>,
  count: number,
): readonly (readonly [string, string])[] {
  const pieces = [...words].map(([word, occurrences]) => ({
    parts: Array.from(word),
    occurrences,
  }));
  const counts = new Map<string, number>();
  const holders = new Map<string, Set<Piece>>();
  const account = (piece: Piece, sign: 1 | -1): void => {
    for (let i = 1; i < piece.parts.length; i++) {
      const pair = pairKey(piece.parts[i - 1] ?? '', piece.parts[i] ?? '');
      counts.set(pair, (counts.get(pair) ?? 0) + sign * piece.occurrences);
      if (sign < 0) continue;
      const holding = holders.get(pair);
      if (holding === undefined) holders.set(pair, new Set([piece]));
      else holding.add(piece);
    }
  };
  for (const piece of pieces) account(piece, 1);

  const merges: (readonly [string, string])[] = [];
  while (merges.length < count) {
    const best = mostFrequent(counts);
    if (best === undefined) break;
    const [left = '', right = ''] = best.split(SEPARATOR);
    merges.push([left, right]);
    for (const piece of holders.get(best) ?? []) {
      account(piece, -1);
      piece.parts = mergePair(piece.parts, left, right);
      account(piece, 1);
    }
    counts.delete(best);
    holders.delete(best);
  }
  return merges;
}

interface Piece {
  parts: string[];
  readonly occurrences: number;
}

/** Cannot occur in byte-level text, so it separates unambiguously. */
const SEPARATOR = ' ';
const pairKey = (left: string, right: string): string => left + SEPARATOR + right;

function mostFrequent(counts: ReadonlyMap<string, number>): string | undefined {
  let best: string | undefined;
  let most = 1;
  for (const [pair, occurrences] of counts) {
    if (occurrences > most || (occurrences === most && best !== undefined && pair < best)) {
      best = pair;
      most = occurrences;
    }
  }
  return best;
}

function mergePair(parts: readonly string[], left: string, right: string): string[] {
  const merged: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === left && parts[i + 1] === right) {
      merged.push(left + right);
      i++;
    } else merged.push(parts[i] ?? '');
  }
  return merged;
}
