import { hashSeed } from '../contracts/hash.ts';
import type { Sample } from '../contracts/sample.ts';

/** At most this share of a user's data is kept from training. */
const MOST_HELD_OUT = 0.2;

/**
 * A sample's content as a number: equal tasks, equal numbers. Of conversations, and of all formats that can be turned into
 * them, it is the number of the beginning: later turns show what was right in those before.
 */
export function contentKey(sample: Sample): number {
  return isPlain(sample) ? wholeKey(sample) : openingKey(sample);
}

/** Samples of rlla and the built-in ones, which are single tasks told in their messages. */
function isPlain({ provenance: { format } }: Sample): boolean {
  return format === 'builtin' || format.startsWith('rlla-');
}

function wholeKey({ messages, groundTruth }: Sample): number {
  return hashTexts([...messages.flatMap(({ role, content }) => [role, content]), groundTruth]);
}

/** Of the messages up to the user's first one, and the tools. */
function openingKey({ messages, tools }: Sample): number {
  const first = messages.findIndex(({ role }) => role === 'user');
  const opening = first < 0 ? messages : messages.slice(0, first + 1);
  return hashTexts([
    ...opening.flatMap(({ role, content }) => [role, content]),
    ...(tools === undefined ? [] : [JSON.stringify(tools)]),
  ]);
}

/** As `hashSeed(...texts)`: a call takes fewer arguments than a hostile row has messages. */
function hashTexts(texts: readonly string[]): number {
  return hashSeed(texts.join('\u001f'));
}

/** Tasks that are kept from training, in whatever format they may come again. */
export class HeldOutTasks {
  readonly #contents = new Set<number>();
  readonly #plainOpenings = new Set<number>();

  add(sample: Sample): void {
    this.#contents.add(contentKey(sample));
    if (isPlain(sample)) this.#plainOpenings.add(openingKey(sample));
  }

  has(sample: Sample): boolean {
    const opening = openingKey(sample);
    if (this.#contents.has(contentKey(sample)) || this.#contents.has(opening)) return true;
    return !isPlain(sample) && this.#plainOpenings.has(opening);
  }
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
