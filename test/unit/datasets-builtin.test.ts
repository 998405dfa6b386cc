import { assert as assertProperty, constantFrom, nat, property, record } from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DemonstrationNoise } from '../../contracts/config.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { Sample, ToolCall } from '../../contracts/sample.ts';
import { builtinCorpus, builtinEvaluation } from '../../datasets/builtin/corpus.ts';
import { CARELESS, demonstration, NO_NOISE } from '../../datasets/builtin/demonstrations.ts';
import type { BuiltinDemonstration } from '../../datasets/builtin/demonstrations.ts';
import { FAMILIES } from '../../datasets/builtin/families.ts';
import { generateSample, generateTask } from '../../datasets/builtin/generator.ts';
import type { SampleKey } from '../../datasets/builtin/generator.ts';
import { isWordSlot, SLOTS } from '../../datasets/builtin/slots.ts';
import type { SlotName } from '../../datasets/builtin/slots.ts';
import {
  BUILTIN_SPLITS,
  diversePool,
  unseenVocabulary,
  verbsOf,
  wordsOf,
} from '../../datasets/builtin/splits.ts';
import type { BuiltinSplit } from '../../datasets/builtin/splits.ts';
import { LEVELS } from '../../datasets/builtin/task.ts';
import type { Level } from '../../datasets/builtin/task.ts';

const keys: Arbitrary<SampleKey> = record({
  seed: nat(),
  index: nat(1_000_000),
  level: constantFrom(...LEVELS),
  split: constantFrom(...BUILTIN_SPLITS),
});

const contentOf = (sample: Sample): string => sample.messages.map((m) => m.content).join('\n');

/** The words of a sample's prompt and ground truth, tool names taken apart. */
const wordsIn = (sample: Sample): string[] =>
  `${contentOf(sample)} ${sample.groundTruth}`.match(/[a-z]+/gu) ?? [];

function samples(split: BuiltinSplit, level: Level, n: number, seed = 11): Sample[] {
  return Array.from({ length: n }, (_, index) => generateSample({ seed, index, level, split }));
}

/** An independent reading of ToolRL's form. */
function parse(groundTruth: string): ToolCall[] {
  const body = /^<think>.*?<\/think>\n<tool_call>\n(.*?)\n<\/tool_call>$/su.exec(groundTruth)?.[1];
  if (body === undefined) throw new Error(`not in ToolRL's form: ${groundTruth}`);
  return body.split('\n').map((line) => JSON.parse(line) as ToolCall);
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
  LEVELS.flatMap((level) => samples(split, level, 1000).map((sample) => sample.groundTruth));

function demonstrations(
  noise: Partial<DemonstrationNoise>,
  levels: readonly number[],
  n = 4000,
): BuiltinDemonstration[] {
  return Array.from({ length: n }, (_, index) =>
    demonstration({ seed: 9, index, levels, noise: { ...NO_NOISE, ...noise } }),
  );
}

/** The share of hits is within four standard errors of p. */
function expectShare(hits: readonly boolean[], p: number): void {
  const share = hits.filter(Boolean).length / hits.length;
  expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / hits.length));
}

/** The type that a listing has for a value. */
function typeOf(value: JsonValue): string {
  if (typeof value === 'number') return 'int';
  if (typeof value !== 'string') return typeof value;
  if (/^\d\d:\d\d$/u.test(value)) return 'time';
  return /^\d\d-\d\d$/u.test(value) ? 'date' : 'str';
}

describe('generateSample', () => {
  test('depends on its key alone', () => {
    assertProperty(
      property(keys, keys, (key, other) => {
        const first = generateSample(key);
        generateSample(other);
        expect(generateSample({ ...key })).toStrictEqual(first);
      }),
      { numRuns: 200 },
    );
  });

  test('gives other tasks for other seeds and indices', () => {
    const contents = new Set([
      ...samples('train', 3, 200, 1).map(contentOf),
      ...samples('train', 3, 200, 2).map(contentOf),
    ]);
    expect(contents.size).toBeGreaterThan(395);
  });

  test('has a ground truth that parses back to its calls, of tools and keys that the listing has', () => {
    assertProperty(
      property(keys, (key) => {
        const sample = generateSample(key);
        expect(parse(sample.groundTruth)).toStrictEqual(sample.calls);
        expect(sample.messages.map((m) => m.role)).toEqual(['system', 'user']);
        const listed = new Map(
          (sample.messages[0]?.content ?? '').split('\n').map((line) => {
            const [, name, signature] = /^([a-z]+_[a-z]+)\((.+)\)$/u.exec(line) ?? [];
            return [name, signature] as const;
          }),
        );
        for (const call of sample.calls) {
          const signature = listed.get(call.name) ?? '';
          const parameters = Object.entries(call.parameters);
          const types = parameters.map(([name, value]) => `${name}: ${typeOf(value)}`);
          expect(types.join(', ')).toBe(signature);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('keeps what the levels promise', () => {
    const calls = { 0: 1, 1: 1, 2: 1, 3: 2, 4: 3 };
    const tools = { 0: [1, 2], 1: [2, 2], 2: [2, 3], 3: [3, 4], 4: [4, 4] };
    const most = { 0: 1, 1: 2, 2: 3, 3: 2, 4: 2 };
    assertProperty(
      property(keys, (key) => {
        const { task, sample } = generateTask(key);
        const [fewest = 0, largest = 0] = tools[key.level];
        expect(sample.level).toBe(key.level);
        expect(sample.calls).toHaveLength(calls[key.level]);
        expect(task.tools.length).toBeGreaterThanOrEqual(fewest);
        expect(task.tools.length).toBeLessThanOrEqual(largest);
        expect(new Set(task.tools.map((tool) => tool.name)).size).toBe(task.tools.length);
        const values = task.called.flatMap((tool) => tool.args);
        const normalised = values.filter((a) => !a.spoken.startsWith(String(a.value)));
        for (const tool of task.called)
          expect(tool.args.length).toBeLessThanOrEqual(most[key.level]);
        if (key.level === 0) expect(values.map((a) => a.type)).toEqual(['str']);
        if (key.level <= 1) expect(normalised).toEqual([]);
        if (key.level === 2) expect(normalised.length).toBeGreaterThan(0);
        for (const { spoken } of values) expect(task.request).toContain(spoken);
      }),
      { numRuns: 1000 },
    );
  });

  const spoken = Array.from({ length: 6000 }, (_, index) =>
    generateTask({ seed: 3, index, level: 2, split: 'train' }).task.called.flatMap((t) => t.args),
  ).flat();

  test.each([
    ['eleven', 11],
    ['half an hour', 30],
    ['8 pm', '20:00'],
    ['7 am', '07:00'],
    ['noon', '12:00'],
    ['half past seven', '07:30'],
    ['oct 10', '10-10'],
    ['a dozen', 12],
  ])('normalises "%s" to %s', (raw, value) => {
    const found = spoken.filter((argument) => argument.raw === raw);
    expect(found.length).toBeGreaterThan(0);
    for (const argument of found) expect(argument.value).toBe(value);
  });

  test('makes 10,000 samples in seconds', () => {
    const start = performance.now();
    for (let index = 0; index < 10_000; index++) {
      generateSample({ seed: 1, index, level: (index % 4) as Level, split: 'train' });
    }
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

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
        for (const sample of samples(split, level, 500)) {
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

describe('demonstration', () => {
  test('without noise is the ground truth', () => {
    for (const { sample, completion } of demonstrations(NO_NOISE, [0, 1, 2, 3, 4], 500)) {
      expect(completion).toBe(sample.groundTruth);
    }
  });

  test('draws levels evenly', () => {
    const levels = demonstrations(NO_NOISE, [0, 2, 3], 3000).map(({ sample }) => sample.level);
    for (const level of [0, 2, 3]) {
      const share = levels.filter((l) => l === level).length / levels.length;
      expect(Math.abs(share - 1 / 3)).toBeLessThan(0.03);
    }
  });

  test('spoils each kind of thing as often as asked', () => {
    const broken = demonstrations({ brokenFormat: CARELESS.brokenFormat }, [1]);
    expectShare(
      broken.map(({ sample, completion }) => completion !== sample.groundTruth),
      CARELESS.brokenFormat,
    );
    for (const { sample, completion } of broken) {
      if (completion !== sample.groundTruth) expect(() => parse(completion)).toThrow();
    }

    const dropped = demonstrations({ droppedCall: CARELESS.droppedCall }, [3]);
    expectShare(
      dropped.map(({ completion }) => parse(completion).length === 1),
      CARELESS.droppedCall,
    );

    const missing = demonstrations({ missingParameter: CARELESS.missingParameter }, [0, 1, 2]);
    expectShare(
      missing.map(
        ({ sample, completion }) =>
          Object.keys(parse(completion)[0]?.parameters ?? {}).length <
          Object.keys(sample.calls[0]?.parameters ?? {}).length,
      ),
      CARELESS.missingParameter,
    );

    const wrong = demonstrations({ wrongTool: CARELESS.wrongTool }, [1, 2]);
    expectShare(
      wrong.map(({ sample, completion }) => parse(completion)[0]?.name !== sample.calls[0]?.name),
      CARELESS.wrongTool,
    );

    const raw = demonstrations({ rawValue: CARELESS.rawValue }, [2]);
    const numbers = raw.flatMap(({ sample, completion }) => {
      const said = parse(completion)[0]?.parameters ?? {};
      return Object.entries(sample.calls[0]?.parameters ?? {})
        .filter(([, value]) => typeof value === 'number')
        .map(([key]) => typeof said[key] === 'string');
    });
    expectShare(numbers, CARELESS.rawValue);
  });

  test('depends on its key alone', () => {
    const key = { seed: 4, index: 77, levels: [0, 1, 2, 3], noise: CARELESS };
    const first = demonstration(key);
    demonstration({ ...key, index: 78 });
    expect(demonstration(key)).toStrictEqual(first);
  });
});
