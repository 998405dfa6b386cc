import { hashSeed } from '../contracts/hash.ts';
import type { Sample } from '../contracts/sample.ts';

/** At most this share of a user's data is kept from training. */
const MOST_HELD_OUT = 0.2;

/**
 * A sample's content as a number: equal tasks, equal numbers. All turns of a conversation have the same, that of its
 * beginning: later ones show what was right in those before.
 */
export function contentKey(sample: Sample): number {
  const { messages, tools, groundTruth, provenance } = sample;
  const isTurn = provenance.turn !== undefined;
  const shown = isTurn ? messages.slice(0, opening(messages)) : messages;
  return hashSeed(
    ...shown.flatMap(({ role, content }) => [role, content]),
    ...(isTurn ? [] : [groundTruth]),
    ...(tools === undefined ? [] : [JSON.stringify(tools)]),
  );
}

/** Messages up to the first of the user. */
function opening(messages: Sample['messages']): number {
  const first = messages.findIndex(({ role }) => role === 'user');
  return first < 0 ? messages.length : first + 1;
}

/**
 * Which of a dataset's samples are kept from training to evaluate on: those with the smallest seeded hashes of their
 * content, so equal tasks fall on the same side, and adding samples changes little.
 *
 * @param keys {@link contentKey} of every sample; repeated for repeated samples
 * @param size wanted; a fifth of the samples at most
 * @returns the keys that are held out
 */
export function heldOutKeys(
  keys: readonly number[],
  options: { readonly seed: number; readonly size: number },
): ReadonlySet<number> {
  const budget = Math.min(options.size, Math.floor(keys.length * MOST_HELD_OUT));
  const copies = new Map<number, number>();
  for (const key of keys) copies.set(key, (copies.get(key) ?? 0) + 1);
  const ordered = [...copies.keys()]
    .map((key) => ({ key, order: hashSeed('held out', options.seed, key) }))
    .sort((a, b) => a.order - b.order || a.key - b.key);
  const held = new Set<number>();
  let used = 0;
  for (const { key } of ordered) {
    const count = copies.get(key) ?? 0;
    if (used + count > budget) continue;
    held.add(key);
    used += count;
    if (used === budget) break;
  }
  return held;
}
