/**
 * A 53-bit hash of any parts, for seeds: equal parts give equal numbers on every machine, and no stream has to be kept.
 * (cyrb53's construction: two 32-bit multiply-xorshift lanes; not cryptographic.)
 */
export function hashSeed(...parts: readonly (string | number)[]): number {
  const text = parts.join('\u001f');
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 2654435761);
    high = Math.imul(high ^ unit, 1597334677);
  }
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  return 4294967296 * (2097151 & high) + (low >>> 0);
}

/** A small seeded generator of numbers in [0, 1) (mulberry32 over both halves of a 53-bit seed). */
export function seededRandom(seed: number): () => number {
  let state = (seed >>> 0) ^ Math.floor(seed / 4294967296);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
