import { assert as assertProperty, constantFrom, nat, property, record } from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../contracts/json.ts';
import type { Sample, ToolCall } from '../../contracts/sample.ts';
import { generateSample, generateTask } from '../../datasets/builtin/generator.ts';
import type { SampleKey } from '../../datasets/builtin/generator.ts';
import { BUILTIN_SPLITS } from '../../datasets/builtin/splits.ts';
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

function samples(split: BuiltinSplit, level: Level, n: number, seed = 11): Sample[] {
  return Array.from({ length: n }, (_, index) => generateSample({ seed, index, level, split }));
}

/** An independent reading of ToolRL's form. */
function parse(groundTruth: string): ToolCall[] {
  const body = /^<think>.*?<\/think>\n<tool_call>\n(.*?)\n<\/tool_call>$/su.exec(groundTruth)?.[1];
  if (body === undefined) throw new Error(`not in ToolRL's form: ${groundTruth}`);
  return body.split('\n').map((line) => JSON.parse(line) as ToolCall);
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

  test('makes 10,000 samples in seconds of one core', () => {
    // Processor time, not wall time: other tests run beside this one.
    const start = process.cpuUsage();
    for (let index = 0; index < 10_000; index++) {
      generateSample({ seed: 1, index, level: (index % 4) as Level, split: 'train' });
    }
    expect(process.cpuUsage(start).user / 1e6).toBeLessThan(10);
  });
});
