import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sample } from '../../contracts/sample.ts';
import { inspectData, rewriteData, splitData } from '../../client/data-files.ts';
import { contentKey, HeldOutTasks } from '../../datasets/held-out.ts';
import { calledTools, offeredTools } from '../../datasets/offered-tools.ts';
import { formatFixture, readAll } from './support/read-data.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-data-files-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

let written = 0;
const vacant = (): string => join(folder, `out-${++written}.jsonl`);

const STRICT = { maxBadRows: 0, dedupe: false } as const;

/** What has to survive: all but id and provenance. */
const content = (samples: readonly Sample[]) =>
  samples.map(({ id: _id, provenance: _provenance, ...rest }) => rest);

/** xLAM rows, each with its own tools and calls. */
async function xlam(
  rows: readonly (readonly [offered: string, called: string])[],
): Promise<string> {
  const path = join(folder, `xlam-${++written}.json`);
  const list = rows.map(([offered, called], i) => ({
    query: `question ${i}`,
    answers: JSON.stringify(Array.from(called).map((name) => ({ name, arguments: { i } }))),
    tools: JSON.stringify(
      Array.from(offered).map((name) => ({ name, description: '', parameters: {} })),
    ),
  }));
  await writeFile(path, JSON.stringify(list));
  return path;
}

/** A file's lines without what toolsample notes for itself. */
const plain = async (path: string) =>
  (await readFile(path, 'utf8')).replaceAll(/"toolsample":\{.*\}/gu, '');

describe('convert', () => {
  test.each([
    'rlla.json',
    'xlam.json',
    'toolace.json',
    'hermes.json',
    'apigen-mt.json',
    'openai.jsonl',
    'bfcl/BFCL_sample.json',
  ])('writes %s such that the same samples are read again', async (name) => {
    const before = await readAll(formatFixture(name));
    const to = vacant();
    const result = await rewriteData(formatFixture(name), to, STRICT);
    expect(result.written.samples).toBe(before.samples.length);
    const after = await readAll(to);
    expect(after.rejected).toEqual([]);
    expect(content(after.samples)).toEqual(content(before.samples));
    const again = vacant();
    await rewriteData(to, again, STRICT);
    expect(await plain(again)).toBe(await plain(to));
  });

  test('keeps references without words', async () => {
    const path = join(folder, 'wordless.json');
    const outputs = ['<think></think>', '<think></think>\n<response></response>'];
    const rows = outputs.map((output) => ({ instruction: 'i', input: 'q', output }));
    await writeFile(path, JSON.stringify(rows));
    const to = vacant();
    await rewriteData(path, to, STRICT);
    const { samples, rejected } = await readAll(to);
    expect(rejected).toEqual([]);
    expect(samples.map(({ groundTruth }) => groundTruth)).toEqual(outputs);
  });

  test('is read by OpenAI: ids of results are those of calls, arguments are texts', async () => {
    const to = vacant();
    await rewriteData(formatFixture('openai.jsonl'), to, STRICT);
    const rows = (await readFile(to, 'utf8'))
      .trim()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as {
            messages: {
              tool_calls?: { id: string; function: { arguments: unknown } }[];
              tool_call_id?: string;
              weight?: number;
            }[];
          },
      );
    const messages = rows[1]?.messages ?? [];
    const ids = messages[2]?.tool_calls?.map(({ id }) => id);
    expect(messages.slice(3, 5).map((message) => message.tool_call_id)).toEqual(ids);
    expect(messages.map(({ weight }) => weight)).toEqual([
      undefined,
      undefined,
      0,
      undefined,
      undefined,
      undefined,
    ]);
    expect(messages[2]?.tool_calls?.[0]?.function.arguments).toBe('{"harbour":"Wismar"}');
  });

  test('writes nothing where a row is bad, or the file exists', async () => {
    const bad = join(folder, 'bad.jsonl');
    await writeFile(bad, `${JSON.stringify({ query: 'q', answers: '[]', tools: '[]' })}\n{}\n[]\n`);
    const to = vacant();
    await expect(rewriteData(bad, to, STRICT)).rejects.toThrow(
      /bad\.jsonl, row 2, field "query": is missing — .*--max-bad-rows/u,
    );
    await expect(rewriteData(bad, to, { ...STRICT, maxBadRows: 1 })).rejects.toThrow(
      /row 3: is not an object \(bad row number 2, 1 may be left out\)/u,
    );
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
    const result = await rewriteData(bad, to, { ...STRICT, maxBadRows: 2 });
    expect(result).toMatchObject({ badRows: 2, written: { samples: 1 } });
    await expect(rewriteData(bad, to, { ...STRICT, maxBadRows: 2 })).rejects.toThrow(
      /exists already/u,
    );
    await expect(rewriteData(bad, join(folder, 'no', 'where'), STRICT)).rejects.toThrow(
      /no folder/u,
    );
  });
});

describe('dedupe', () => {
  test('leaves out samples that equal an earlier one', async () => {
    const rows = [
      ['ab', 'a'],
      ['ab', 'a'],
      ['b', 'b'],
    ] as const;
    const once = await xlam(rows);
    const text = await readFile(once, 'utf8');
    const twice = join(folder, 'twice.json');
    const list = JSON.parse(text) as unknown[];
    await writeFile(twice, JSON.stringify([...list, ...list]));
    const to = vacant();
    const result = await rewriteData(twice, to, { maxBadRows: 0, dedupe: true });
    expect(result).toMatchObject({ duplicates: 3, written: { samples: 3 } });
    expect(content((await readAll(to)).samples)).toEqual(content((await readAll(once)).samples));
  });
});

const shown = (sample: Sample) => [...offeredTools(sample), ...calledTools(sample)];

describe('split', () => {
  /** Twenty tools, each offered with its neighbour. */
  const NAMES = 'abcdefghijklmnopqrst';
  const rows = Array.from({ length: 200 }, (_, i): [string, string] => {
    const first = NAMES[i % 20] ?? '';
    const second = NAMES[(i + 1) % 20] ?? '';
    return [first + second, i % 3 === 0 ? first + second : first];
  });

  test('shows no held-out tool in training, and calls no other in what is held out', async () => {
    const from = await xlam(rows);
    const [train, heldOut] = [vacant(), vacant()];
    const options = { maxBadRows: 0, share: 0.3, seed: 3 };
    const result = await splitData(from, { ...options, train, heldOut });
    const [trained, held] = [(await readAll(train)).samples, (await readAll(heldOut)).samples];
    const trainTools = new Set(trained.flatMap(shown));
    const heldTools = new Set(result.heldOutTools);
    expect(heldTools.size).toBeGreaterThan(0);
    expect([...trainTools].filter((name) => heldTools.has(name))).toEqual([]);
    expect(held.length).toBeGreaterThan(0);
    for (const sample of held) {
      for (const name of calledTools(sample)) expect(heldTools).toContain(name);
    }
    expect(trained.length + held.length + result.mixed).toBe(rows.length);
    expect(trained.length).toBeGreaterThanOrEqual(rows.length * 0.7);

    const again = [vacant(), vacant()] as const;
    await splitData(from, { ...options, train: again[0], heldOut: again[1] });
    expect(await readFile(again[0], 'utf8')).toBe(await readFile(train, 'utf8'));
    const other = await splitData(from, {
      ...options,
      seed: 4,
      train: vacant(),
      heldOut: vacant(),
    });
    expect(other.heldOutTools).not.toEqual(result.heldOutTools);
  });

  test('says what share a single tool has where none fits', async () => {
    const from = await xlam([
      ['ab', 'a'],
      ['ab', 'b'],
      ['ab', 'a'],
    ]);
    const options = { maxBadRows: 0, share: 0.1, seed: 0, train: vacant(), heldOut: vacant() };
    await expect(splitData(from, options)).rejects.toThrow(
      /100\.0% of the samples.*larger --share/u,
    );
  });
});

/** A row of these speakers. */
const turns = (...from: readonly string[]) => ({
  conversations: from.map((name) => ({
    from: name,
    value: name === 'function_call' ? '{"name": "a", "arguments": {}}' : 'x',
  })),
});

/** What inspect says of a file of these rows: format, samples, bad rows. */
const formatOf = async (...rows: readonly object[]) => {
  const path = join(folder, `format-${++written}`);
  await writeFile(path, JSON.stringify(rows));
  const report = await inspectData(path);
  return [report.format, report.samples, report.badRows];
};

describe('inspect', () => {
  test('tells format, counts, lengths, calls, tools and bad rows', async () => {
    const good = JSON.parse(await readFile(formatFixture('toolace.json'), 'utf8')) as unknown[];
    const path = join(folder, 'inspected');
    await writeFile(path, JSON.stringify([good[0], { conversations: 7 }, good[1]]));
    const report = await inspectData(path, 'builtin');
    expect(report).toMatchObject({
      format: 'toolace',
      samples: 4,
      rows: 2,
      badRows: 1,
      problems: [{ row: 2, field: 'conversations', reason: 'is not a list of objects' }],
      shapes: { think: 0, call: 2, response: 2, both: 0 },
      callsPerSample: { '0': 2, '1': 1, '2': 1 },
      first: { id: 'toolace-000001-01' },
    });
    expect(report.tools.most).toEqual([
      { name: 'Tide Table', offered: 4, called: 2 },
      { name: 'fees.berth', offered: 4, called: 1 },
    ]);
    expect(report.characters?.prompt.max).toBeGreaterThan(report.characters?.prompt.min ?? 0);
    expect(report.tokens?.prompt.median).toBeGreaterThan(10);
    // As the built-in policy's template lists tools.
    expect(report.firstPrompt).toContain('Tide Table(harbour: str, days: int');
    expect(await inspectData(formatFixture('rlla.json'))).toMatchObject({
      format: 'rlla',
      tools: { names: 2 },
      tokens: null,
    });
  });

  test('names one format of a file, also where ShareGPT calls nothing, or all rows are bad', async () => {
    const [plain, call] = [turns('human', 'gpt'), turns('human', 'function_call')];
    expect(await formatOf(plain, call)).toEqual(['apigen-mt', 2, 0]);
    expect(await formatOf(call, plain)).toEqual(['apigen-mt', 2, 0]);
    expect(await formatOf(plain)).toEqual(['hermes', 1, 0]);
    expect(await formatOf({ query: 'q', answers: 'x', tools: '[]' })).toEqual(['xlam', 0, 1]);
  });

  test('lists bad rows also where there is nothing else', async () => {
    const path = join(folder, 'all-bad');
    await writeFile(path, '{"a": 1}\nnothing');
    expect(await inspectData(path)).toMatchObject({
      format: null,
      samples: 0,
      badRows: 2,
      first: null,
    });
  });
});

function tasksOf(samples: readonly Sample[]): HeldOutTasks {
  const tasks = new HeldOutTasks();
  for (const sample of samples) tasks.add(sample);
  return tasks;
}

describe('held-out tasks', () => {
  test('are whole conversations: a later turn shows what was right before', async () => {
    const { samples } = await readAll(formatFixture('toolace.json'));
    const keys = samples.map(contentKey);
    expect(new Set(keys.slice(0, 3)).size).toBe(1);
    expect(keys[3]).not.toBe(keys[0]);
  });

  test.each(['rlla.json', 'xlam.json', 'toolace.json', 'bfcl/BFCL_sample.json'])(
    'of %s are known again in another format',
    async (name) => {
      const to = vacant();
      await rewriteData(formatFixture(name), to, STRICT);
      const [before, after] = [await readAll(formatFixture(name)), await readAll(to)];
      for (const [held, asked] of [
        [before, after],
        [after, before],
      ] as const) {
        const tasks = tasksOf(held.samples.slice(0, 1));
        expect(asked.samples.filter((sample) => tasks.has(sample)).map(contentKey)).toEqual(
          asked.samples.map(contentKey).filter((key) => key === contentKey(asked.samples[0]!)),
        );
      }
    },
  );
});
