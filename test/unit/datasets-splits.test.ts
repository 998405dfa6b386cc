import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../contracts/json.ts';
import type { Sample } from '../../contracts/sample.ts';
import { builtinCorpus, builtinEvaluation } from '../../datasets/builtin/corpus.ts';
import { FAMILIES } from '../../datasets/builtin/families.ts';
import { generateSample, generateTask } from '../../datasets/builtin/generator.ts';
import { isWordSlot, SLOTS } from '../../datasets/builtin/slots.ts';
import type { SlotName } from '../../datasets/builtin/slots.ts';
import { diversePool, unseenVocabulary, verbsOf, wordsOf } from '../../datasets/builtin/splits.ts';
import type { BuiltinSplit } from '../../datasets/builtin/splits.ts';
import { LEVELS } from '../../datasets/builtin/task.ts';
import type { Level } from '../../datasets/builtin/task.ts';

const contentOf = (sample: Sample): string => sample.messages.map((m) => m.content).join('\n');

/** The words of a sample's prompt and ground truth, tool names taken apart. */
const wordsIn = (sample: Sample): string[] =>
  `${contentOf(sample)} ${sample.groundTruth}`.match(/[a-z]+/gu) ?? [];

function samples(split: BuiltinSplit, level: Level, n: number, seed = 11): Sample[] {
  return Array.from({ length: n }, (_, index) => generateSample({ seed, index, level, split }));
}

/** All tool names that a split's tasks list. */
function namesOf(split: BuiltinSplit): Set<string> {
  const names = [0, 1, 2, 3].flatMap((level) =>
    Array.from({ length: 700 }, (_, index) =>
      generateTask({ seed: 5, index, level: level as Level, split }).task.tools.map(
        (tool) => tool.name,
      ),
    ).flat(),
  );
  return new Set(names);
}

const isWord = (value: JsonValue): value is string =>
  typeof value === 'string' && /^[a-z]+$/u.test(value);

/** All words that a split gives as values, each with its key. */
function pairsOf(split: BuiltinSplit): Set<string> {
  const pairs = ([0, 1, 3] as const)
    .flatMap((level) => samples(split, level, 700, 5))
    .flatMap((sample) => sample.calls)
    .flatMap((call) => Object.entries(call.parameters))
    .flatMap(([key, value]) => (isWord(value) ? [`${key}=${value}`] : []));
  return new Set(pairs);
}

const truthsOf = (split: BuiltinSplit): string[] =>
  LEVELS.flatMap((level) => samples(split, level, 400).map((sample) => sample.groundTruth));

describe('splits', () => {
  const word = Object.keys(SLOTS).filter((slot) => isWordSlot(slot as SlotName)) as 'item'[];

  test('hold out a quarter of each slot and two of six verbs of each noun', () => {
    for (const slot of word) {
      const held = wordsOf(slot, 'heldout');
      expect(held.length).toBeGreaterThanOrEqual(3);
      expect(held.filter((w) => wordsOf(slot, 'train').includes(w))).toEqual([]);
      expect([...held, ...wordsOf(slot, 'train')].sort()).toEqual(
        [...wordsOf(slot, 'demonstration')].sort(),
      );
    }
    for (const family of FAMILIES) {
      for (const { kind } of family.operations) {
        for (const noun of family.nouns) {
          expect(verbsOf(noun, kind, 'train')).toHaveLength(4);
          expect(verbsOf(noun, kind, 'heldout')).toHaveLength(2);
        }
      }
    }
  });

  test('never show a held-out verb or word in training', () => {
    const train = namesOf('train');
    const held = namesOf('heldout');
    expect([...held].filter((name) => train.has(name))).toEqual([]);
    expect(held.size).toBeGreaterThan(80);
    const trained = pairsOf('train');
    expect([...pairsOf('heldout')].filter((pair) => trained.has(pair))).toEqual([]);
  });

  test('never show a word of the unseen split outside of it', () => {
    const unseen = unseenVocabulary();
    expect(diversePool().filter((w) => unseen.has(w))).toEqual([]);
    for (const split of ['train', 'heldout', 'demonstration'] as const) {
      for (const level of LEVELS) {
        for (const sample of samples(split, level, 300)) {
          expect(wordsIn(sample).filter((w) => unseen.has(w))).toEqual([]);
        }
      }
    }
    for (const sample of samples('unseen', 3, 300)) {
      for (const call of sample.calls) {
        const spelt = [
          ...call.name.split('_'),
          ...Object.values(call.parameters)
            .map(String)
            .filter((v) => /^[a-z]+$/u.test(v)),
        ];
        expect(spelt.filter((w) => !unseen.has(w))).toEqual([]);
      }
    }
  });

  test('share no ground truth between training and evaluation', () => {
    const shown = new Set([...truthsOf('train'), ...truthsOf('demonstration')]);
    for (const split of ['heldout', 'unseen'] as const) {
      expect(truthsOf(split).filter((truth) => shown.has(truth))).toEqual([]);
    }
  });

  test('demonstrations draw on thousands of words and names', () => {
    const seen = new Set(
      Array.from({ length: 4000 }, (_, index) =>
        generateSample({ seed: 2, index, level: 1, split: 'demonstration' }),
      ).flatMap((sample) => sample.calls.flatMap((call) => call.name.split('_'))),
    );
    expect(diversePool().length).toBeGreaterThan(5000);
    expect(seen.size).toBeGreaterThan(1500);
  });
});

describe('builtinCorpus and builtinEvaluation', () => {
  const corpus = [...builtinCorpus({ seed: 42, size: 2000, levelMix: [0.3, 0.3, 0.25, 0.15] })];

  test('hold each task once, with unique ids and the mix that was asked for', () => {
    expect(new Set(corpus.map(contentOf)).size).toBe(2000);
    expect(new Set(corpus.map((sample) => sample.id)).size).toBe(2000);
    for (const [level, share] of [0.3, 0.3, 0.25, 0.15].entries()) {
      const found = corpus.filter((sample) => sample.level === level).length / corpus.length;
      expect(Math.abs(found - share)).toBeLessThan(0.02);
    }
  });

  test('a larger corpus begins with the smaller one', () => {
    const small = [...builtinCorpus({ seed: 42, size: 300, levelMix: [0.3, 0.3, 0.25, 0.15] })];
    expect(small).toStrictEqual(corpus.slice(0, 300));
  });

  test.each(['heldout', 'unseen'] as const)('%s has levels 0 to 3 in equal parts', (split) => {
    const tasks = builtinEvaluation({ seed: 42, size: 400, split });
    expect(new Set(tasks.map(contentOf)).size).toBe(400);
    for (const level of [0, 1, 2, 3]) {
      expect(tasks.filter((sample) => sample.level === level)).toHaveLength(100);
    }
    const trained = new Set(corpus.map(contentOf));
    expect(tasks.filter((sample) => trained.has(contentOf(sample)))).toEqual([]);
  });
});
