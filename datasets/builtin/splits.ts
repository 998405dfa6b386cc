import { hashSeed } from '../../contracts/hash.ts';
import { FAMILIES, UNSEEN_VERBS, VERBS } from './families.ts';
import type { Family, OperationKind } from './families.ts';
import type { WordSlot } from './slots.ts';
import { diverseWords, UNSEEN_WORDS, WORDS } from './words.ts';

/**
 * Who may see what; fixed by hash, whatever the run's seed:
 * - `train`: the corpus of reinforcement learning;
 * - `heldout`: verbs and (slot, word) pairs that `train` never shows, though demonstrations may;
 * - `unseen`: nouns, verbs and words that nothing else ever shows;
 * - `demonstration`: the endless stream of the warm start, with the words of `train` and `heldout` and thousands of others.
 * `heldout` and `unseen` also own their ground truths: see {@link ownsCombination}.
 */
export const BUILTIN_SPLITS = ['train', 'heldout', 'unseen', 'demonstration'] as const;
export type BuiltinSplit = (typeof BUILTIN_SPLITS)[number];

/** The evaluation splits. */
export const EVALUATION_SPLITS = ['heldout', 'unseen'] as const;
export type EvaluationSplit = (typeof EVALUATION_SPLITS)[number];

/** Splits a list by hash: `held` of its items are kept from the training corpus. */
function holdOut(
  items: readonly string[],
  held: number,
  ...key: readonly string[]
): { readonly train: readonly string[]; readonly heldout: readonly string[] } {
  const ordered = [...items].sort((a, b) => hashSeed(...key, a) - hashSeed(...key, b));
  return { train: ordered.slice(held), heldout: ordered.slice(0, held) };
}

function memoize<T>(make: (key: string) => T): (key: string) => T {
  const made = new Map<string, T>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}

const heldVerbs = memoize((key) => {
  const [noun = '', kind = ''] = key.split('/');
  return holdOut(VERBS[kind as OperationKind], 2, 'verb', noun, kind);
});
const heldWords = memoize((slot) => {
  const words = WORDS[slot as WordSlot];
  return holdOut(words, Math.round(words.length / 4), 'word', slot);
});

/** The nouns that a split's tools of a family are named after. */
export function nounsOf(family: Family, split: BuiltinSplit): readonly string[] {
  return split === 'unseen' ? family.unseenNouns : family.nouns;
}

/** The verbs that a split combines with a noun: four of six in `train`, the other two in `heldout`. */
export function verbsOf(noun: string, kind: OperationKind, split: BuiltinSplit): readonly string[] {
  if (split === 'unseen') return UNSEEN_VERBS[kind];
  if (split === 'demonstration') return VERBS[kind];
  return heldVerbs(`${noun}/${kind}`)[split];
}

/** The words that a split fills a slot with: three quarters in `train`, the others in `heldout`. */
export function wordsOf(slot: WordSlot, split: BuiltinSplit): readonly string[] {
  if (split === 'unseen') return UNSEEN_WORDS[slot];
  if (split === 'demonstration') return WORDS[slot];
  return heldWords(slot)[split];
}

/** Every noun, verb and word of the `unseen` split. */
export function unseenVocabulary(): ReadonlySet<string> {
  return new Set([
    ...FAMILIES.flatMap((family) => family.unseenNouns),
    ...Object.values(UNSEEN_VERBS).flat(),
    ...Object.values(UNSEEN_WORDS).flat(),
  ]);
}

/** Words with a meaning in requests, listings or JSON; never used as made-up names or values. */
const GRAMMAR = `
  a an the to for at in on of by with and then also my me from about under after called named times some please i no is am
  pm noon half past hour hours dozen couple minutes people degrees str int time date name parameters think tool call ok
  wake let go more have new cannot make how fill empty must there any turn want hear where need done use`;

let pool: readonly string[] | undefined;

/** The thousands of words from which demonstrations draw names, keys and values. */
export function diversePool(): readonly string[] {
  pool ??= diverseWords(new Set([...unseenVocabulary(), ...GRAMMAR.trim().split(/\s+/u)]));
  return pool;
}

/** One ground truth in eight belongs to the evaluation splits. */
const EVALUATION_SHARE = 8;

/**
 * Whether a split may show this ground truth (names, keys and values together). Evaluation and training have disjoint
 * halves of all ground truths, by hash, so no task can be in both, whatever the seeds.
 */
export function ownsCombination(groundTruth: string, split: BuiltinSplit): boolean {
  const evaluation = hashSeed('combination', groundTruth) % EVALUATION_SHARE === 0;
  return evaluation === (split === 'heldout' || split === 'unseen');
}
