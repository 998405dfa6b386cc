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

interface Candidate {
  readonly key: number;
  /** Seeded hash of the key. */
  readonly order: number;
  /** Samples of that key. */
  copies: number;
}

/**
 * Chooses which of a dataset's samples are kept from training to evaluate on: those with the smallest seeded hashes of their
 * content, so equal tasks fall on the same side, and adding samples changes little. Sees one sample after the other and
 * remembers only the candidates, however many samples there are.
 */
export class HeldOutDraw {
  readonly #options: { readonly seed: number; readonly size: number; readonly candidates: number };
  #candidates = new Map<number, Candidate>();
  /** The last candidate that is kept; undefined while all are. What comes behind it never was one. */
  #last: Candidate | undefined;
  #samples = 0;

  /**
   * @param options `size`: samples wanted, a fifth of all at most; `candidates`: contents to remember
   */
  constructor(options: {
    readonly seed: number;
    readonly size: number;
    readonly candidates: number;
  }) {
    this.#options = options;
  }

  /** @param key {@link contentKey} of the next sample; repeated for repeated samples */
  add(key: number): void {
    this.#samples++;
    const known = this.#candidates.get(key);
    if (known !== undefined) {
      known.copies++;
      return;
    }
    const order = hashSeed('held out', this.#options.seed, key);
    const candidate = { key, order, copies: 1 };
    if (this.#last !== undefined && inOrder(candidate, this.#last) > 0) return;
    this.#candidates.set(key, candidate);
    if (this.#candidates.size >= 2 * this.#options.candidates) this.#forget();
  }

  /** The keys that are held out; null when the candidates are too few to tell, because many contents are repeated often. */
  held(): ReadonlySet<number> | null {
    const budget = Math.min(this.#options.size, Math.floor(this.#samples * MOST_HELD_OUT));
    const held = new Set<number>();
    let used = 0;
    for (const { key, copies } of this.#inOrder()) {
      if (used === budget) break;
      if (used + copies > budget) continue;
      held.add(key);
      used += copies;
    }
    return used < budget && this.#last !== undefined ? null : held;
  }

  #forget(): void {
    const kept = this.#inOrder().slice(0, this.#options.candidates);
    this.#candidates = new Map(kept.map((candidate) => [candidate.key, candidate]));
    this.#last = kept.at(-1);
  }

  #inOrder(): Candidate[] {
    return [...this.#candidates.values()].sort(inOrder);
  }
}

function inOrder(a: Candidate, b: Candidate): number {
  return a.order - b.order || a.key - b.key;
}
