import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterAll, describe, expect, test } from 'vitest';
import type { Sample } from '../../contracts/sample.ts';
import { withCallsAsText } from '../../contracts/tool-call-text.ts';
import { readCallExpressions } from '../../datasets/formats/call-expressions.ts';
import { plainValue } from '../../datasets/formats/exact-values.ts';
import { parseLiteral } from '../../datasets/formats/literal.ts';
import { readTools } from '../../datasets/formats/tool-definitions.ts';
import { openaiRow } from '../../datasets/openai-row.ts';
import { groundTruthCalls } from '../../dscl/ground-truth.ts';
import { scoreCompletion } from '../../dscl/reward.ts';
import { formatFixture, readAll } from './support/read-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'toolsample-formats-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let written = 0;
function file(content: string): string {
  const path = join(folder, `rows-${++written}`);
  writeFileSync(path, content);
  return path;
}

async function fixture(name: string): Promise<Sample[]> {
  const { samples, rejected } = await readAll(formatFixture(name));
  expect(rejected).toEqual([]);
  return samples;
}

const content = (all: readonly Sample[] = []) =>
  all.map(({ provenance: _file, ...sample }) => sample);

describe('every format', () => {
  test.each([
    ['rlla.json', 'rlla-raw', 2],
    ['xlam.json', 'xlam', 3],
    ['toolace.json', 'toolace', 4],
    ['hermes.json', 'hermes', 2],
    ['apigen-mt.json', 'apigen-mt', 4],
    ['openai.jsonl', 'openai', 4],
    ['bfcl/BFCL_sample.json', 'bfcl', 3],
  ])('of %s is recognised as %s', async (name, format, count) => {
    const samples = await fixture(name);
    expect(samples).toHaveLength(count);
    expect(new Set(samples.map(({ id }) => id)).size).toBe(count);
    for (const sample of samples) {
      expect(sample.provenance.format).toBe(format);
      // The reference completion gets the whole reward, so training has something to reach.
      const { reward, max } = scoreCompletion({
        completion: sample.groundTruth,
        groundTruth: sample,
        valueMatch: 'toolrl',
      });
      expect(reward).toBe(max);
    }
  });

  test('is recognised by its content, as a list, as lines and as parquet', async () => {
    const { samples } = await readAll(formatFixture('xlam.json'));
    const rows = [1, 2].map((id) => ({
      id,
      query: `high water in harbour ${id}?`,
      answers: '[{"name": "tide_table", "arguments": {"harbour": "Kiel"}}]',
      tools: JSON.stringify(samples[0]?.tools ?? []),
    }));
    const parquet = join(folder, 'rows.json');
    parquetWriteFile({
      filename: parquet,
      rowGroupSize: 1,
      columnData: [
        { name: 'id', data: [1n, 2n], type: 'INT64' },
        ...(['query', 'answers', 'tools'] as const).map((name) => ({
          name,
          data: rows.map((row) => row[name]),
          type: 'STRING' as const,
        })),
      ],
    });
    const texts = [JSON.stringify(rows), rows.map((row) => JSON.stringify(row)).join('\r\n')];
    const [list, lines, columns] = await Promise.all(
      [...texts.map(file), parquet].map(async (path) => (await readAll(path)).samples),
    );
    expect(content(list)).toHaveLength(2);
    expect(content(lines)).toEqual(content(list));
    expect(content(columns)).toEqual(content(list));
  });
});

describe('a conversation', () => {
  test('is read from nested columns of parquet, fields without a value left out', async () => {
    const rows = JSON.parse(readFileSync(formatFixture('toolace.json'), 'utf8')) as {
      system: string;
      conversations: unknown[];
    }[];
    const path = join(folder, 'nested.parquet');
    const text = {
      type: 'BYTE_ARRAY',
      converted_type: 'UTF8',
      repetition_type: 'OPTIONAL',
    } as const;
    parquetWriteFile({
      filename: path,
      schema: [
        { name: 'schema', num_children: 2 },
        { name: 'system', ...text },
        {
          name: 'conversations',
          repetition_type: 'OPTIONAL',
          converted_type: 'LIST',
          num_children: 1,
        },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'OPTIONAL', num_children: 3 },
        { name: 'from', ...text },
        { name: 'value', ...text },
        { name: 'note', ...text },
      ],
      columnData: [
        { name: 'system', data: rows.map((row) => row.system) },
        { name: 'conversations', data: rows.map((row) => row.conversations) },
      ],
    });
    expect(content((await readAll(path)).samples)).toEqual(content(await fixture('toolace.json')));
  });
});

describe('xLAM', () => {
  test('has calls as they are written, and schemas for its flat parameters', async () => {
    const [both, exact, none] = await fixture('xlam.json');
    expect(both).toMatchObject({
      id: 'xlam-000001',
      shape: 'call',
      calls: [
        { name: 'tide_table', parameters: { harbour: 'Wismar' } },
        { name: 'berth_fee', parameters: { length: 9.5 } },
      ],
    });
    expect(both?.groundTruth).toBe(
      '<think></think>\n<tool_call>\n{"name": "tide_table", "parameters": {"harbour": "Wismar"}}\n' +
        '{"name": "berth_fee", "parameters": {"length": 9.50}}\n</tool_call>',
    );
    expect(both?.tools?.[0]?.parameters).toEqual({
      type: 'object',
      properties: {
        harbour: { type: 'string', description: 'Name of the harbour' },
        days: { type: 'integer', description: 'How many days', default: 1 },
        levels: { type: 'array', items: { type: 'number' }, description: 'Water levels to mark' },
      },
      required: ['harbour'],
    });
    // JavaScript's number would have lost the last digits.
    const [call] = groundTruthCalls(exact as Sample);
    expect(call?.parameters.get('station')).toBe(12345678901234567890n);
    expect(none).toMatchObject({ shape: 'response', calls: [] });
  });
});

describe('ToolACE', () => {
  test('gives a sample for each turn, with the turns before it', async () => {
    const samples = await fixture('toolace.json');
    expect(samples.map(({ id, shape }) => [id, shape])).toEqual([
      ['toolace-000001-01', 'call'],
      ['toolace-000001-02', 'response'],
      ['toolace-000001-03', 'call'],
      ['toolace-000002-01', 'response'],
    ]);
    const [first, , third] = samples;
    expect(first?.calls).toEqual([
      { name: 'Tide Table', parameters: { harbour: 'Wismar "old"', days: 2, marks: [1.5, 2] } },
      { name: 'fees.berth', parameters: { length: 9, power: true } },
    ]);
    expect(third?.messages.map(({ role }) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'tool',
      'assistant',
      'user',
    ]);
    // With its numbers as they were written, where JavaScript's are others.
    const line =
      '{"name": "Tide Table", "parameters": {"harbour": "Wismar \\"old\\"", "days": 2, "marks": [1.5, 2.0]}}';
    const calls = first?.calls.map((call, i) => (i === 0 ? { ...call, line } : call));
    expect(third?.messages[2]).toEqual({ role: 'assistant', content: '', calls });
    expect(third?.provenance).toMatchObject({ row: 1, turn: 3 });
  });

  test('has its tools apart, and its system text without the form of calls', async () => {
    const [sample] = await fixture('toolace.json');
    expect(sample?.tools?.map(({ name }) => name)).toEqual(['Tide Table', 'fees.berth']);
    expect(sample?.tools?.[0]?.parameters).toEqual({
      type: 'object',
      properties: {
        harbour: { type: 'string', description: 'Name' },
        days: { type: 'integer', description: 'How many' },
        marks: { type: 'array', items: { type: 'number' } },
      },
      required: ['harbour'],
    });
    const text = sample?.messages[0]?.content ?? '';
    expect(text).toContain('If no function fits, say so.');
    expect(text).toContain('Today is Monday.');
    expect(text).not.toMatch(/func1|JSON|NO other text|Tide/u);
  });

  test.each([
    ['[f()]', [{ name: 'f', parameters: {} }]],
    [
      '[a.b-c d(x=None, y={"k": (1, \'two\')}, )]',
      [{ name: 'a.b-c d', parameters: { x: null, y: { k: [1, 'two'] } } }],
    ],
    [
      '[f(x="a, b) ]"), g(y=-1.5e3)]',
      [
        { name: 'f', parameters: { x: 'a, b) ]' } },
        { name: 'g', parameters: { y: -1500 } },
      ],
    ],
    ['[f( city name = "x")]', [{ name: 'f', parameters: { 'city name': 'x' } }]],
    ['[f(__proto__=1)]', [{ name: 'f', parameters: JSON.parse('{"__proto__": 1}') as object }]],
  ])('reads %s', (text, calls) => {
    const read = readCallExpressions(text, 'value');
    expect(
      read !== undefined && 'value' in read
        ? read.value.map(({ name, parameters }) => ({ name, parameters }))
        : read,
    ).toEqual(calls);
  });

  test.each([
    [String.raw`'Caf\xe9 \U0001f6a2 \u2693'`, 'Café 🚢 ⚓'],
    [String.raw`"\ud83d\udea2"`, '🚢'],
    [String.raw`'\a\v\b\f'`, '\u0007\v\b\f'],
    [String.raw`'\101\60\7x\1018'`, 'A0\u0007xA8'],
    ["'one \\\nline'", 'one line'],
    // No escapes, in JSON nor in Python.
    [String.raw`'\d+\.\w'`, String.raw`\d+\.\w`],
    ['(1)', 1],
    ['((("a")))', 'a'],
    ['()', []],
    ['(1,)', [1]],
    ['( (1), (2 ,), )', [1, [2]]],
  ])('reads the value %s as Python does', (text, value) => {
    expect(plainValue(parseLiteral(text))).toEqual(value);
  });

  test.each([
    [String.raw`'\x4'`, /hexadecimal digits/u],
    [String.raw`'\U0011ffff'`, /no character/u],
    [String.raw`'\N{ANCHOR}'`, /an escape other than/u],
    ['(,)', /a value/u],
    ['(1', /"," or "\)"/u],
  ])('refuses the value %s', (text, reason) => {
    expect(() => parseLiteral(text)).toThrow(reason);
  });

  test.each([
    ['[f(1)]', /a parameter|"="/u],
    ['[f(x=open("a"))]', /a value/u],
    ['[f(x="a)]', /quotation mark/u],
    ['[f(x=1) g(y=2)]', /"\]"/u],
    [`[f(x=${'['.repeat(9000)})]`, /nests deeper/u],
  ])('refuses %s', (text, reason) => {
    const read = readCallExpressions(text, 'value');
    expect(read !== undefined && 'reason' in read ? read.reason : 'none').toMatch(reason);
  });

  test.each(['', 'No tool fits.', '[see](https://example.org)', '[]', '[1, 2]'])(
    'takes %j for words',
    (text) => {
      expect(readCallExpressions(text, 'value')).toBeUndefined();
    },
  );
});

describe('Hermes', () => {
  test('has tools, thoughts, calls and results between tags', async () => {
    const [first, second] = await fixture('hermes.json');
    expect(first?.tools?.map(({ name }) => name)).toEqual(['tide_table']);
    expect(first?.messages[0]?.content).toBe('You are a harbour master. Do not guess values.');
    expect(first?.groundTruth).toBe(
      '<think>Two harbours, two calls.</think>\n<tool_call>\n' +
        '{"name": "tide_table", "parameters": {"harbour": "Wismar", "days": 1}}\n' +
        '{"name": "tide_table", "parameters": {"harbour": "Kiel"}}\n</tool_call>',
    );
    expect(second?.messages.slice(3)).toEqual([
      { role: 'tool', content: '{"high": "06:10"}' },
      { role: 'tool', content: '{"high": "07:20"}' },
    ]);
    expect(second).toMatchObject({ shape: 'response', calls: [] });
  });
});

describe('APIGen-MT', () => {
  test('has calls and observations as turns of their own', async () => {
    const samples = await fixture('apigen-mt.json');
    expect(samples.map(({ shape }) => shape)).toEqual(['response', 'call', 'call', 'response']);
    expect(samples[0]?.messages).toEqual([
      { role: 'system', content: '# Rules of the harbour\nCancel only what is refundable.' },
      { role: 'user', content: 'Please cancel my berth.' },
    ]);
    expect(samples[2]?.calls).toEqual([
      { name: 'cancel_booking', parameters: { code: 'W-17', refund: true } },
    ]);
    expect(samples[3]?.messages).toHaveLength(8);
    expect(samples[3]?.tools).toHaveLength(2);
  });
});

const texts = (samples: readonly Sample[]) =>
  samples.map(({ messages, tools, groundTruth }) => JSON.stringify([messages, tools, groundTruth]));

describe("ShareGPT's conversations", () => {
  const TOOLS = JSON.stringify([{ name: 'tide_table', description: 'd', parameters: {} }]);
  const row = (...turns: readonly (readonly [from: string, value: string])[]) => ({
    conversations: turns.map(([from, value]) => ({ from, value })),
    tools: TOOLS,
  });
  const call = [
    'function_call',
    '{"name": "tide_table", "arguments": {"harbour": "Kiel"}}',
  ] as const;
  const words = row(['human', 'hi'], ['gpt', 'hello']);
  const calls = row(['human', 'tides?'], call, ['observation', '06:10'], ['gpt', 'At 06:10.']);

  test('may call nothing, before and after those that call something', async () => {
    const rows = [words, calls, words, row(['human', 'tides?'], call)];
    const forth = await readAll(file(JSON.stringify(rows)));
    const back = await readAll(file(JSON.stringify(rows.toReversed())));
    expect([...forth.rejected, ...back.rejected]).toEqual([]);
    expect(forth.samples.map(({ shape }) => shape)).toEqual([
      'response',
      'call',
      'response',
      'response',
      'call',
    ]);
    expect(texts(back.samples).sort()).toEqual(texts(forth.samples).sort());
    for (const { tools } of forth.samples) expect(tools?.[0]?.name).toBe('tide_table');
  });

  test("are not ToolACE's, whose calls they would be words to", async () => {
    const toolace = { system: TOOLS, ...row(['user', 'tides?'], ['assistant', '[tide_table()]']) };
    const without = row(['user', 'tides?'], ['assistant', '[tide_table()]']);
    const { samples, rejected } = await readAll(file(JSON.stringify([toolace, without, calls])));
    expect(samples.map(({ shape }) => shape)).toEqual(['call']);
    expect(rejected).toMatchObject([
      { row: 2, reason: 'is a row of hermes, and those before are of toolace' },
      { row: 3, reason: 'is a row of apigen-mt, and those before are of toolace' },
    ]);
  });
});

describe('OpenAI', () => {
  test('puts results in the order of their calls, and learns nothing of weight 0', async () => {
    const samples = await fixture('openai.jsonl');
    expect(samples[1]?.messages.slice(3)).toEqual([
      { role: 'tool', content: '06:10' },
      { role: 'tool', content: '07:20' },
    ]);
    expect(samples[2]).toMatchObject({
      id: 'openai-000002-01',
      messages: [{ role: 'user', content: 'And in Husum?' }],
      groundTruth:
        '<think>I look it up.</think>\n<tool_call>\n{"name": "tide_table", "parameters": {"harbour": "Husum"}}\n</tool_call>',
    });
    expect(samples[3]).toMatchObject({ id: 'openai-000003-02', shape: 'response' });
    // Without tools the messages speak for themselves.
    expect(samples[3]?.tools).toBeUndefined();
  });

  test('has refusals for words, and nothing to learn where the assistant says nothing', async () => {
    const question = { role: 'user', content: 'q' };
    const silent = { role: 'assistant', content: null };
    const row = (...messages: readonly object[]) => ({ messages: [question, ...messages] });
    const rows = [
      row({ ...silent, refusal: 'I cannot.' }),
      row({ ...silent, content: '', refusal: 'I cannot.', tool_calls: [] }),
      row({ ...silent, content: 'Yes.', refusal: null }),
      row({ ...silent, weight: 0 }, question, { role: 'assistant', content: 'a' }),
      row({ ...silent, reasoning_content: 'Nothing to say.' }),
      row(silent),
      row({ ...silent, content: '', tool_calls: [] }),
      row({ ...silent, refusal: 7 }),
    ];
    const { samples, rejected } = await readAll(file(JSON.stringify(rows)));
    expect(samples.map(({ groundTruth }) => groundTruth)).toEqual([
      '<think></think>\n<response>I cannot.</response>',
      '<think></think>\n<response>I cannot.</response>',
      '<think></think>\n<response>Yes.</response>',
      '<think></think>\n<response>a</response>',
      '<think>Nothing to say.</think>',
    ]);
    const nothing = 'says nothing: it has neither words nor calls nor a thought';
    expect(rejected).toMatchObject([
      { row: 6, reason: `${nothing} (turn 1 of the assistant)` },
      { row: 7, reason: `${nothing} (turn 1 of the assistant)` },
      { row: 8, field: 'messages[1].refusal', reason: 'is number, not text' },
    ]);
  });
});

describe('BFCL', () => {
  test('takes answers from the folder beside it, and the shortest allowed call', async () => {
    const [simple, irrelevant, parallel] = await fixture('bfcl/BFCL_sample.json');
    expect(simple).toMatchObject({
      id: 'simple_0',
      calls: [{ name: 'tides.table', parameters: { harbour: 'Wismar', range: { from: 1 } } }],
      allowedValues: [{ harbour: ['Wismar', 'Hansestadt Wismar'], days: [1, ''] }],
      provenance: { format: 'bfcl', row: 1 },
    });
    expect(simple?.tools?.[0]?.parameters).toMatchObject({
      type: 'object',
      properties: {
        any: {},
        range: { type: 'object', properties: { from: { type: 'number' } } },
      },
    });
    expect(irrelevant).toMatchObject({ shape: 'response', calls: [] });
    expect(irrelevant).not.toHaveProperty('allowedValues');
    expect(parallel?.calls).toHaveLength(2);
  });
});

/** What becomes of the parameters of a tool. */
const parameters = (given: object) => {
  const read = readTools([{ name: 'a', parameters: given }], 'tools');
  return 'value' in read ? read.value[0]?.parameters : read;
};

describe('tools', () => {
  test('are read bare and wrapped, from a text and from a list', () => {
    const bare = { name: 'a', parameters: { type: 'object', properties: {} } };
    const expected = { value: [{ ...bare, description: '' }] };
    expect(readTools([bare], 'tools')).toEqual(expected);
    expect(readTools([{ type: 'function', function: { ...bare, strict: true } }], 'tools')).toEqual(
      expected,
    );
    expect(readTools(JSON.stringify([{ name: 'a' }]), 'tools')).toEqual(expected);
    expect(readTools([{ name: 'a', parameters: '{}' }], 'tools')).toEqual(expected);
    expect(readTools(null, 'tools')).toEqual({ value: [] });
  });

  test('may be blank texts, for none, and texts in a list', async () => {
    const bare = { name: 'a', description: '', parameters: { type: 'object', properties: {} } };
    for (const none of ['', ' \n', '[]', []]) {
      expect(readTools(none, 'tools')).toEqual({ value: [] });
    }
    expect(readTools([{ name: 'a', parameters: '' }], 'tools')).toEqual({ value: [bare] });
    // As nvidia/When2Call has them.
    const wrapped = JSON.stringify({ type: 'function', function: { name: 'a' } });
    expect(readTools([JSON.stringify({ name: 'a' }), wrapped], 'tools')).toEqual({
      value: [bare, bare],
    });
    expect(readTools(['{"name": '], 'tools')).toMatchObject({ field: 'tools[0]' });
    const conversations = [
      { from: 'human', value: 'q' },
      { from: 'gpt', value: 'a' },
    ];
    const rows = [
      { conversations, tools: '' },
      { conversations, tools: '', system: 's' },
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', content: 'a' },
        ],
        tools: '',
      },
    ];
    for (const row of rows) {
      const { samples, rejected } = await readAll(file(JSON.stringify(row)));
      expect(rejected).toEqual([]);
      expect(samples.map(({ tools }) => tools)).toEqual([[]]);
    }
  });

  const NESTED = { x: { type: 'string' } };

  test.each([
    { type: ['object'], properties: NESTED },
    { $schema: 'https://json-schema.org/draft/2020-12/schema', anyOf: [{ required: ['x'] }] },
    { $ref: '#/$defs/a', $defs: { a: { type: 'object', properties: NESTED } } },
    { properties: { x: true } },
    { properties: {} },
    { properties: { type: { type: 'string' }, description: { type: 'string' } } },
    { type: 'object', description: 'd' },
    { additionalProperties: { type: 'string' } },
    { additionalProperties: false },
    { description: 'none' },
  ])('have the schema %j', (schema) => {
    expect(parameters(schema)).toEqual(schema);
  });

  test.each([
    [{ type: { type: 'str', description: 'd' } }, ['type']],
    [{ properties: { type: 'Dict' }, required: { type: 'bool' } }, ['properties', 'required']],
    [{ $filter: { type: 'str' }, title: { description: 'd' } }, ['$filter', 'title']],
    [{ unit: { enum: ['m', 'ft'] }, any: {} }, ['unit', 'any']],
  ])('have the flat parameters %j', (given, names) => {
    expect(parameters(given)).toMatchObject({ type: 'object', required: names });
    expect(Object.keys((parameters(given) as { properties: object }).properties)).toEqual(names);
  });

  test.each([{ x: 'string' }, { x: { type: 'str' }, y: null }, { $ref: 7 }, { anyOf: 'x' }])(
    'have no parameters of neither form, as %j',
    (given) => {
      expect(parameters(given)).toMatchObject({
        field: 'tools[0].parameters',
        reason: expect.stringMatching(/is neither a JSON Schema nor \{name: /u) as string,
      });
    },
  );

  test('of long types take no time', () => {
    const type = ','.repeat(500_000);
    expect(readTools([{ name: 'a', parameters: { b: { type } } }], 'tools')).toMatchObject({
      value: [{ parameters: { properties: { b: {} } } }],
    });
  });
});

describe('bad rows', () => {
  const good = { query: 'q', answers: '[]', tools: '[]' };
  test.each([
    ['xlam', { ...good, answers: 'x' }, 'answers', /not JSON/u],
    ['xlam', { ...good, answers: '[{"arguments": {}}]' }, 'answers[0]', /"name"/u],
    ['xlam', { ...good, answers: '[{"name": "a", "arguments": [1]}]' }, 'answers[0]', /no object/u],
    ['xlam', { ...good, tools: '[{"description": "d"}]' }, 'tools[0]', /"name"/u],
    ['xlam', { ...good, query: '\ud800' }, 'query', /surrogate/u],
    [
      'apigen-mt',
      { conversations: [{ from: 'observation', value: 'x' }], system: '', tools: '[]' },
      undefined,
      /no turn of the assistant/u,
    ],
    [
      'hermes',
      {
        conversations: [
          { from: 'human', value: 'q' },
          { from: 'gpt', value: '<tool_call>{}' },
        ],
      },
      'conversations[1].value',
      /without end/u,
    ],
    [
      'hermes',
      {
        conversations: [
          { from: 'human', value: 'q' },
          { from: 'gpt', value: 'a</think>\n<tool_call>\n{}</tool_call>' },
        ],
      },
      'conversations[1].value[0]',
      /"name"/u,
    ],
    [
      'toolace',
      {
        system: '',
        conversations: [
          { from: 'user', value: 'q' },
          { from: 'robot', value: 'a' },
        ],
      },
      'conversations[1].from',
      /robot/u,
    ],
    [
      'openai',
      { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      'messages[0].content[0]',
      /only texts/u,
    ],
    [
      'openai',
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', reasoning_content: 'a</think>', content: 'b' },
        ],
      },
      undefined,
      /tags/u,
    ],
    ['openai', { messages: [] }, 'messages', /list of objects/u],
    [
      'bfcl',
      { id: 'simple_1', question: [[{ role: 'user', content: 'q' }]], function: [] },
      'ground_truth',
      /missing/u,
    ],
    ['bfcl', { id: 'multi_turn_1', question: [[], []], function: [] }, 'question', /2 turns/u],
    [
      'bfcl',
      {
        id: 'x',
        question: [[{ role: 'user', content: 'q' }]],
        function: [],
        ground_truth: ["cd(folder='x')"],
      },
      'ground_truth[0]',
      /allowed values/u,
    ],
  ])('of %s are told with field and reason (%#)', async (_format, row, field, reason) => {
    const { samples, rejected } = await readAll(file(JSON.stringify(row)));
    expect(samples).toEqual([]);
    expect(rejected).toHaveLength(1);
    expect(rejected[0]?.field).toBe(field);
    expect(rejected[0]?.reason).toMatch(reason);
  });

  test('cost themselves alone, also where they are no JSON', async () => {
    const line = JSON.stringify(good);
    const lines = await readAll(file(`${line}\n{"query": "q\n\n${line}\n[1]\n${line}`));
    expect(lines.samples.map(({ provenance }) => provenance.row)).toEqual([1, 4, 6]);
    expect(lines.rejected).toMatchObject([
      { row: 2, reason: expect.stringMatching(/not JSON/u) as string },
      { row: 5, reason: 'is not an object' },
    ]);
    const list = await readAll(file(`[${line}, {"query": nul}, ${line}]`));
    expect(list.samples).toHaveLength(2);
    expect(list.rejected).toMatchObject([{ row: 2 }]);
  });

  test('are those of another format than the rows before', async () => {
    const other = { messages: [{ role: 'user', content: 'q' }] };
    const { samples, rejected } = await readAll(
      file(JSON.stringify([good, other, { query: 'q' }])),
    );
    expect(samples).toHaveLength(1);
    expect(rejected).toMatchObject([
      { row: 2, reason: 'is a row of openai, and those before are of xlam' },
      { row: 3, field: 'answers', reason: 'is missing' },
    ]);
  });
});

const data = process.env['TOOLSAMPLE_DATA'];

describe.skipIf(data === undefined)("BFCL's own files", () => {
  test.each([
    ['simple_python', 400, 400],
    ['multiple', 200, 200],
    ['parallel', 200, 200],
    ['parallel_multiple', 200, 200],
    ['simple_java', 100, 100],
    ['simple_javascript', 50, 50],
    ['irrelevance', 240, 0],
  ])('%s are usable', async (name, count, withCalls) => {
    const path = join(data ?? '', 'bfcl', `BFCL_v4_${name}.json`);
    const { samples, rejected } = await readAll(path);
    expect(rejected).toEqual([]);
    expect(samples).toHaveLength(count);
    expect(samples.filter(({ calls }) => calls.length > 0)).toHaveLength(withCalls);
    for (const sample of samples) {
      const { reward, max } = scoreCompletion({
        completion: sample.groundTruth,
        groundTruth: sample,
        valueMatch: 'bfcl',
      });
      expect([sample.id, reward]).toEqual([sample.id, max]);
    }
  });
});

describe('numbers of calls', () => {
  const tools = [
    {
      name: 'send',
      description: '',
      parameters: { type: 'object', properties: { to: { type: 'integer', default: 5.5 } } },
    },
  ];
  const row = (rest: object): string =>
    JSON.stringify({ tools, ...rest })
      .replaceAll('"BIG"', '1234567890123456789')
      .replaceAll('"WHOLE"', '2.0');

  test('are as they were written where arguments are objects', async () => {
    const answers = [{ name: 'send', arguments: { to: 'BIG', ratio: 'WHOLE' } }];
    const { samples } = await readAll(file(row({ query: 'Write.', answers })));
    expect(samples[0]!.groundTruth).toContain('{"to": 1234567890123456789, "ratio": 2.0}');
    // What is no argument stays plain.
    expect(samples[0]!.tools).toEqual(tools);
  });

  test('are as they were written in what a prompt shows of earlier turns', async () => {
    const call = { function: { name: 'send', arguments: { to: 'BIG', ratio: 'WHOLE' } } };
    const messages = [
      { role: 'user', content: 'Write.' },
      { role: 'assistant', tool_calls: [call], weight: 0.0 },
      { role: 'tool', content: 'done' },
      { role: 'assistant', content: 'It is written.' },
    ];
    const { samples } = await readAll(
      file(row({ messages }).replace('"weight":0', '"weight":0.0')),
    );
    expect(samples).toHaveLength(1);
    const shown = withCallsAsText(samples[0]!.messages[1]!);
    expect(shown.content).toContain('{"to": 1234567890123456789, "ratio": 2.0}');
    const again = await readAll(file(`${JSON.stringify(openaiRow(samples[0]!))}\n`));
    expect(content(again.samples)[0]).toMatchObject({ messages: samples[0]!.messages });
  });

  test('are floats for the reward where BFCL writes them so', async () => {
    const parameters = { type: 'dict', properties: { at: { type: 'dict' } }, required: ['at'] };
    const question = {
      id: 'simple_1',
      question: [[{ role: 'user', content: 'Go.' }]],
      function: [{ name: 'go', description: '', parameters }],
      ground_truth: [{ go: { at: [{ x: ['WHOLE'], y: [3] }], far: ['WHOLE', 7] } }],
    };
    const path = file(JSON.stringify([question]).replaceAll('"WHOLE"', '2.0'));
    const [sample] = (await readAll(path)).samples;
    const score = (x: string, y: string, far: string) =>
      scoreCompletion({
        completion: `<think></think>\n<tool_call>\n{"name": "go", "parameters": {"at": {"x": ${x}, "y": ${y}}, "far": ${far}}}\n</tool_call>`,
        groundTruth: sample!,
        valueMatch: 'bfcl',
      }).exactMatch;
    expect(score('2.0', '3', '2.0')).toBe(true);
    expect(score('2', '3', '7.0')).toBe(true);
    expect(score('2.0', '3.0', '2.0')).toBe(false);
  });

  test('of 64 bits are as parquet has them', async () => {
    const path = join(folder, 'big.parquet');
    const int = { type: 'INT64', repetition_type: 'OPTIONAL' } as const;
    parquetWriteFile({
      filename: path,
      schema: [
        { name: 'schema', num_children: 3 },
        { name: 'query', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'tools', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'answers', converted_type: 'LIST', repetition_type: 'OPTIONAL', num_children: 1 },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'OPTIONAL', num_children: 2 },
        { name: 'name', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'arguments', repetition_type: 'OPTIONAL', num_children: 1 },
        { name: 'to', ...int },
      ],
      columnData: [
        { name: 'query', data: ['Write.'] },
        { name: 'tools', data: [JSON.stringify(tools)] },
        { name: 'answers', data: [[{ name: 'send', arguments: { to: 1234567890123456789n } }]] },
      ],
    });
    const { samples } = await readAll(path);
    expect(samples[0]!.groundTruth).toContain('{"to": 1234567890123456789}');
  });
});

describe('calls and texts in unusual places', () => {
  const weather = { name: 'get_weather', description: '', parameters: {} };

  test('calls as ToolACE writes them are calls where such a tool is offered', async () => {
    const said = (words: string) => ({
      tools: [weather],
      conversations: [
        { from: 'user', value: 'Paris?' },
        { from: 'assistant', value: words },
      ],
    });
    const rows = [said('[get_weather(city="Paris")]'), said('[draw(x=1)]')];
    const { samples } = await readAll(file(JSON.stringify(rows)));
    expect(samples.map(({ shape }) => shape)).toEqual(['call', 'response']);
    expect(samples[0]!.calls).toEqual([{ name: 'get_weather', parameters: { city: 'Paris' } }]);
    const chat = {
      tools: [weather],
      messages: [
        { role: 'user', content: 'Paris?' },
        { role: 'assistant', content: '[get_weather(city="Paris")]' },
      ],
    };
    const read = await readAll(file(`${JSON.stringify(chat)}\n`));
    expect(read.samples[0]!.calls).toEqual(samples[0]!.calls);
  });

  test('what a system text says behind its tools, but for the form, is shown', async () => {
    const form =
      'Use the following pydantic model json schema for each tool call you will make: {"title": "FunctionCall", "type": "object"} For each function call return a json object within <tool_call></tool_call> XML tags as follows:\n<tool_call>\n{"name": <name>}\n</tool_call>';
    const value = `You help.\n<tools>${JSON.stringify([weather])}</tools>\nToday is 2024-05-01. ${form}\nThe user lives in Paris.`;
    const conversations = [
      { from: 'system', value },
      { from: 'human', value: 'Weather?' },
      { from: 'gpt', value: 'Sunny.' },
      { from: 'tool', value: 'note: partial <tool_response>{"x": 1}</tool_response> retry later' },
      { from: 'gpt', value: 'Well.' },
    ];
    const { samples } = await readAll(file(JSON.stringify([{ conversations }])));
    const [system] = samples[0]!.messages;
    expect(system!.content.split(/\s+/u).join(' ')).toBe(
      'You help. Today is 2024-05-01. The user lives in Paris.',
    );
    expect(samples[1]!.messages.at(-1)!.content).toBe('note: partial {"x": 1} retry later');
  });

  test('types within flat parameters are those of JSON Schema', () => {
    const parameters = {
      place: { type: 'dict', properties: { y: { type: 'str' } } },
      unit: { type: ['string', 'null'], description: 'C or F' },
    };
    const read = readTools([{ name: 'f', parameters }], 'tools');
    expect(read).toMatchObject({
      value: [
        {
          parameters: {
            properties: {
              place: { type: 'object', properties: { y: { type: 'string' } } },
              unit: { type: ['string', 'null'] },
            },
          },
        },
      ],
    });
  });
});
