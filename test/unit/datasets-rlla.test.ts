import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterAll, describe, expect, test } from 'vitest';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { RejectedRow, Sample } from '../../contracts/sample.ts';
import { isRejected, openDataset, readSamples } from '../../datasets/dataset.ts';
import { readGroundTruth } from '../../datasets/ground-truth.ts';
import { contentKey, HeldOutDraw } from '../../datasets/held-out.ts';

const folder = mkdtempSync(join(tmpdir(), 'toolsample-rlla-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const truth =
  '<think>t</think>\n<tool_call>\n{"name": "Get News", "parameters": {"page": 1}}\n</tool_call>';
const raw = { instruction: 'tools', input: 'news please', output: truth };
const verl = {
  data_source: 'rlla',
  prompt: [
    { role: 'system', content: 'tools' },
    { role: 'user', content: 'news please' },
  ],
  reward_model: { ground_truth: truth, style: 'rule' },
};

let written = 0;
function file(content: string | Uint8Array, name = `rows-${++written}`): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function all(path: string): Promise<{ samples: Sample[]; rejected: RejectedRow[] }> {
  const samples: Sample[] = [];
  const rejected: RejectedRow[] = [];
  for await (const item of readSamples(path)) {
    if (isRejected(item)) rejected.push(item);
    else samples.push(item);
  }
  return { samples, rejected };
}

async function failure(path: string): Promise<ToolsampleError> {
  try {
    await all(path);
  } catch (error) {
    if (error instanceof ToolsampleError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

/** verl's schema, nested as pyarrow writes it. */
function parquet(rows: readonly (typeof verl)[], rowGroupSize: number): string {
  const path = join(folder, `rows-${++written}.parquet`);
  const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as const;
  parquetWriteFile({
    filename: path,
    rowGroupSize,
    schema: [
      { name: 'schema', num_children: 3 },
      { name: 'data_source', ...text },
      { name: 'prompt', repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'content', ...text },
      { name: 'role', ...text },
      { name: 'reward_model', repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'ground_truth', ...text },
      { name: 'style', ...text },
    ],
    columnData: [
      { name: 'data_source', data: rows.map((row) => row.data_source) },
      { name: 'prompt', data: rows.map((row) => row.prompt) },
      { name: 'reward_model', data: rows.map((row) => row.reward_model) },
    ],
  });
  return path;
}

describe('readGroundTruth', () => {
  const call = '{"name": "a", "parameters": {}}';
  test.each([
    ['<think>x</think>', 'think', 0],
    [`<think>x</think>\n<tool_call>\n${call}\n</tool_call>`, 'call', 1],
    [`<think>x</think>\n<tool_call>\n${call}\n${call}\n</tool_call>\n`, 'call', 2],
    ['<think>x</think>\n<response>y</response>', 'response', 0],
    [`<think>x</think>\n<tool_call>\n${call}\n</tool_call>\n<response>y</response>`, 'both', 1],
    [
      `<think>no <response> yet, <tool_call></think>\n<tool_call>\n${call}\n</tool_call>`,
      'call',
      1,
    ],
    ['<think>x</think>\n<response>a <tool_call> is needed</response>', 'response', 0],
  ])('%j is of shape %s', (text, shape, calls) => {
    const reading = readGroundTruth(text);
    expect(reading).toMatchObject({ shape });
    expect('calls' in reading ? reading.calls : undefined).toHaveLength(calls);
  });

  test.each([
    ['hello', /form/u],
    ['<think>x</think> and more</think>', /form/u],
    ['<think>x</think>\n<response>y', /form/u],
    ['<think>x</think><tool_call>\n{}\n</tool_call>', /form/u],
    ['<think>x</think>\n<tool_call>\n{"name": "a"\n</tool_call>', /not JSON/u],
    ['<think>x</think>\n<tool_call>\n[1]\n</tool_call>', /not a JSON object/u],
    ['<think>x</think>\n<tool_call>\n{"parameters": {}}\n</tool_call>', /without a "name"/u],
    [
      '<think>x</think>\n<tool_call>\n{"name": "a", "parameters": 3}\n</tool_call>',
      /"parameters"/u,
    ],
    [
      '<think>x</think>\n<tool_call>\n{"name": "a", "parameters": {"k": "\\u0000"}}\n</tool_call>',
      /NUL/u,
    ],
    [
      `<think>x</think>\n<tool_call>\n{"name": "a", "parameters": {"k": ${'['.repeat(9000)}${']'.repeat(9000)}}}\n</tool_call>`,
      /nested/u,
    ],
  ])('%#: says what is wrong', (text, problem) => {
    const reading = readGroundTruth(text);
    expect('problem' in reading ? reading.problem : 'none').toMatch(problem);
  });
});

describe('readSamples', () => {
  const calls = [{ name: 'Get News', parameters: { page: 1 } }];
  const messages = verl.prompt;

  test('reads raw JSON rows', async () => {
    const path = file(JSON.stringify([raw, raw]), 'raw.json');
    const { samples, rejected } = await all(path);
    expect(rejected).toEqual([]);
    expect(samples).toHaveLength(2);
    expect(samples[1]).toEqual({
      id: 'rlla-000002',
      messages,
      groundTruth: truth,
      shape: 'call',
      calls,
      level: null,
      provenance: { format: 'rlla-raw', source: 'raw.json', row: 2 },
    });
  });

  test('reads verl rows from JSON and, over several row groups, from parquet', async () => {
    const json = await all(file(JSON.stringify([verl])));
    const rows = Array.from({ length: 7 }, (_, i) => ({
      ...verl,
      prompt: [{ role: 'user', content: `question ${i} – ünïcode` }],
    }));
    const fromParquet = await all(parquet(rows, 3));
    expect(json.samples[0]).toMatchObject({ messages, calls, provenance: { format: 'rlla-verl' } });
    expect(fromParquet.rejected).toEqual([]);
    expect(fromParquet.samples.map((sample) => sample.messages[0]?.content)).toEqual(
      rows.map((row) => row.prompt[0]?.content),
    );
    expect(fromParquet.samples.map((sample) => sample.provenance.row)).toEqual([
      1, 2, 3, 4, 5, 6, 7,
    ]);
  });

  test('rejects bad rows with row, field and reason, and goes on', async () => {
    const bad: [unknown, string | undefined, RegExp][] = [
      [{ ...raw, output: 'no form' }, 'output', /form/u],
      [{ instruction: 'a', output: truth }, 'input', /missing/u],
      [{ ...raw, input: 7 }, 'input', /number, not text/u],
      [{ ...raw, input: 'a\0b' }, 'input', /NUL/u],
      [{ ...raw, input: 'a\ud800b' }, 'input', /surrogate/u],
      [{ ...raw, input: 'x'.repeat(1_100_000) }, 'input', /longer/u],
      [{ ...raw, input: '', instruction: '' }, 'input', /empty/u],
      [{ ...verl, prompt: [] }, 'prompt', /list of chat messages/u],
      [{ ...verl, prompt: [{ role: 'root', content: '' }] }, 'prompt[0].role', /none of/u],
      [{ ...verl, prompt: ['hi'] }, 'prompt[0]', /chat message/u],
      [{ prompt: verl.prompt }, 'reward_model', /missing/u],
      [{ ...verl, reward_model: {} }, 'reward_model.ground_truth', /missing/u],
      [{ question: 'x' }, undefined, /question/u],
      [null, undefined, /not an object/u],
      [[raw], undefined, /not an object/u],
    ];
    const { samples, rejected } = await all(
      file(JSON.stringify([raw, ...bad.map(([row]) => row), verl]), 'mixed.json'),
    );
    expect(samples.map((sample) => sample.provenance.row)).toEqual([1, bad.length + 2]);
    expect(rejected).toHaveLength(bad.length);
    for (const [i, [, field, reason]] of bad.entries()) {
      expect(rejected[i]).toMatchObject({ file: 'mixed.json', row: i + 2 });
      expect(rejected[i]?.field).toBe(field);
      expect(rejected[i]?.reason).toMatch(reason);
    }
  });

  test.each([
    ['an empty file', '', /the file is empty/u],
    ['an empty list', '[]', /no rows/u],
    ['JSON that breaks off', '[{"instruction": "a', /middle of a value/u],
    ['an object that is no row', '{"a": 1}', /fields a: of no known format/u],
    ['other fields', '[{"question": "x", "answer": "y"}]', /fields question, answer/u],
    ['text', 'hello', /not JSON/u],
    ['a NUL byte', '[{"a": "\0"}]', /NUL byte at offset 8/u],
    ['bytes that are no text', new Uint8Array([0xff, 0xfe, 0x41]), /neither parquet nor UTF-8/u],
    ['rows that are all bad', JSON.stringify([{ ...raw, output: 'x' }]), /row 1, field "output"/u],
  ])('refuses %s in one line that says what to do', async (_, content, message) => {
    const error = await failure(file(content));
    expect(error.code).toBe('dataset');
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(message);
    expect(error.message).toContain('rows-');
    expect(error.message).not.toContain('\n');
    expect(error.hint).toBeDefined();
  });

  test('refuses a missing file and a folder', async () => {
    expect((await failure(join(folder, 'none.json'))).message).toMatch(/does not exist/u);
    expect((await failure(folder)).message).toMatch(/not a file/u);
  });

  test('refuses parquet that is cut, damaged, empty or of another schema', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({
      ...verl,
      reward_model: { ground_truth: truth.replace('<think>t', `<think>${i}`), style: 'rule' },
    }));
    const whole = readFileSync(parquet(rows, 10));
    for (const length of [4, 100, whole.length - 1]) {
      const error = await failure(file(whole.subarray(0, length)));
      expect(error.message).toMatch(/cut off or damaged.*copy it again/u);
    }
    const damaged = Buffer.from(whole).fill(0x5a, 4, 400);
    expect((await failure(file(damaged))).message).toMatch(/row 1.*cannot be decoded|row 1/u);
    expect((await failure(parquet([], 10))).message).toMatch(/no rows/u);

    const other = join(folder, 'other.parquet');
    parquetWriteFile({
      filename: other,
      columnData: [{ name: 'question', data: ['x'], type: 'STRING' }],
    });
    expect((await failure(other)).message).toMatch(/columns question.*prompt and reward_model/u);
  });
});

describe('openDataset', () => {
  test('gives the built-in corpus or a file', async () => {
    const options = { seed: 1, corpusSize: 12, levelMix: [1, 1, 1, 1] };
    const ids: string[] = [];
    for await (const item of openDataset('builtin', options)) {
      if (!isRejected(item)) ids.push(item.id);
    }
    expect(new Set(ids).size).toBe(12);
    for await (const item of openDataset(file(JSON.stringify([raw])), options)) {
      expect(item).toMatchObject({ id: 'rlla-000001' });
    }
  });
});

function heldOutOf(
  of: readonly number[],
  options: { seed: number; size: number; candidates?: number },
) {
  const draw = new HeldOutDraw({ candidates: of.length, ...options });
  for (const key of of) draw.add(key);
  return draw.held();
}

function heldOutKeys(of: readonly number[], options: { seed: number; size: number }) {
  return heldOutOf(of, options) ?? new Set<number>();
}

describe('HeldOutDraw', () => {
  const keys = Array.from({ length: 500 }, (_, i) => Math.floor(i / 2) * 7919);

  test('holds out as many as asked, a fifth at most, equal samples together', () => {
    for (const [size, expected] of [
      [40, 40],
      [1000, 100],
    ] as const) {
      const held = heldOutKeys(keys, { seed: 3, size });
      expect(keys.filter((key) => held.has(key))).toHaveLength(expected);
    }
  });

  test('depends on the seed, and little on other samples', () => {
    const held = heldOutKeys(keys, { seed: 3, size: 50 });
    expect(heldOutKeys(keys.toReversed(), { seed: 3, size: 50 })).toEqual(held);
    expect(heldOutKeys(keys, { seed: 4, size: 50 })).not.toEqual(held);
    const kept = [...heldOutKeys([...keys, 11, 13], { seed: 3, size: 50 })];
    expect(kept.filter((key) => held.has(key)).length).toBeGreaterThanOrEqual(held.size - 2);
  });

  test('remembers few candidates, and says when they were too few', () => {
    const often = [...keys, ...Array.from({ length: 300 }, (_, i) => (i % 5) * 7919)];
    const all = heldOutKeys(often, { seed: 3, size: 30 });
    const few = (candidates: number) => heldOutOf(often, { seed: 3, size: 30, candidates });
    expect(few(20)).toEqual(all);
    expect(few(2)).toBeNull();
  });
});

const data = process.env['TOOLSAMPLE_DATA'];

describe.skipIf(data === undefined)('the real rlla rows', () => {
  const rlla = join(data ?? '', 'rlla');

  test('are all usable, JSON and parquet', async () => {
    const sft = await all(join(rlla, 'rlla_sft.json'));
    expect(sft.rejected).toEqual([]);
    expect(sft.samples).toHaveLength(400);
    const shapes = sft.samples.map((sample) => sample.shape);
    expect(shapes.filter((shape) => shape === 'call')).toHaveLength(346);
    expect(shapes.filter((shape) => shape === 'response')).toHaveLength(54);

    const test = await all(join(rlla, 'rlla_test.parquet'));
    expect(test.rejected).toEqual([]);
    expect(test.samples).toHaveLength(80);
    expect(test.samples.filter((sample) => sample.shape === 'call')).toHaveLength(71);
    expect(test.samples[0]?.calls).toEqual([{ name: 'GetNews', parameters: { page: '1' } }]);
    expect(new Set([...sft.samples, ...test.samples].map(contentKey)).size).toBeGreaterThan(450);
  });

  test('are refused when the parquet file is cut in the middle', async () => {
    const whole = readFileSync(join(rlla, 'rlla_test.parquet'));
    const error = await failure(file(whole.subarray(0, whole.length / 2), 'cut.parquet'));
    expect(error.message).toMatch(/cut\.parquet: is a parquet file that is cut off or damaged/u);
  });
});
