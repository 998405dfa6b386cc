import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { rewriteData } from '../../client/data-files.ts';
import { readCallExpressions } from '../../datasets/formats/call-expressions.ts';
import { formatFixture, readAll } from './support/read-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'toolsample-text-calls-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let written = 0;
function file(rows: readonly object[]): string {
  const path = join(folder, `rows-${++written}`);
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'));
  return path;
}

type Words = (assistant: string) => object;

const TOOL = { name: 'tide_table', description: 'Tides.', parameters: { harbour: {} } };

/** As argilla-warehouse/apigen-synth-trl and SmolTalk's apigen-80k have them: no `tools`, no `tool_calls`. */
const trl: Words = (assistant) => ({
  messages: [
    {
      role: 'system',
      content: 'You are an expert in composing functions.\n<tool_call>[\n…\n]</tool_call>',
    },
    {
      role: 'user',
      content: `You have access to the following tools:\n<tools>${JSON.stringify([TOOL])}</tools>\nHigh water in Kiel?`,
    },
    { role: 'assistant', content: assistant },
  ],
});

const SYSTEM = `You are a function calling AI model. Function signatures are within <tools></tools> XML tags. Be brief.\n<tools>\n${JSON.stringify({ type: 'function', function: TOOL })}\n</tools>\nReturn <tool_call>\n{"name": <name>}\n</tool_call>`;

/** Hermes's, with the system text in a column of its own. */
const apart: Words = (assistant) => ({
  system: SYSTEM,
  conversations: [
    { from: 'human', value: 'High water in Kiel?' },
    { from: 'gpt', value: assistant },
  ],
  tools: JSON.stringify([{ type: 'function', function: TOOL }]),
});

const hermes: Words = (assistant) => ({
  conversations: [
    { from: 'system', value: SYSTEM },
    { from: 'human', value: 'High water in Kiel?' },
    { from: 'gpt', value: assistant },
  ],
});

/** ShareGPT with a system text that tells of no tools. */
const sharegpt: Words = (assistant) => ({ ...apart(assistant), system: 'Be brief.' });

/** The same with other names of the roles: they are ToolACE's. */
const toolace: Words = (assistant) => ({
  system: 'Be brief.',
  tools: JSON.stringify([TOOL]),
  conversations: [
    { from: 'user', value: 'High water in Kiel?' },
    { from: 'assistant', value: assistant },
  ],
});

const ROWS: readonly (readonly [string, Words])[] = [
  ['OpenAI', trl],
  ['Hermes', hermes],
  ['Hermes with a column system', apart],
  ['ShareGPT', sharegpt],
  ['ToolACE', toolace],
];

const CALL = '{"name": "tide_table", "arguments": {"harbour": "Kiel"}}';
const LINE = '{"name": "tide_table", "parameters": {"harbour": "Kiel"}}';
const truth = (thought: string, ...lines: readonly string[]) =>
  `<think>${thought}</think>\n<tool_call>\n${lines.join('\n')}\n</tool_call>`;

const truths = async (...rows: readonly object[]) => {
  const { samples, rejected } = await readAll(file(rows));
  expect(rejected).toEqual([]);
  return samples.map(({ groundTruth }) => groundTruth);
};

describe.each(ROWS)('calls in the text of %s', (_name, row) => {
  test.each([
    [`<tool_call>[${CALL}, ${CALL}]</tool_call>`, truth('', LINE, LINE)],
    [
      `<tool_call>\n${CALL}\n</tool_call>\n<tool_call>\n${CALL}\n</tool_call>`,
      truth('', LINE, LINE),
    ],
    [`<tool_call>\n${CALL}\n${CALL}\n</tool_call>`, truth('', LINE, LINE)],
    [`<TOOLCALL>[${CALL}]</TOOLCALL>`, truth('', LINE)],
    [
      `<tool_call>[{"id": "a", "type": "function", "function": ${CALL}}]</tool_call>`,
      truth('', LINE),
    ],
    [`I look.\n<tool_call>${CALL}</tool_call>`, truth('I look.', LINE)],
    [
      `<think>\nKiel it is.\n</think>\n\n<tool_call>${CALL}</tool_call>`,
      truth('Kiel it is.', LINE),
    ],
    [
      `<think>\nI could <tool_call>.\n</think>\nI look.\n<tool_call>${CALL}</tool_call>`,
      truth('I could <tool_call>.\nI look.', LINE),
    ],
    [`<think>\n\n</think>\n\n<tool_call>${CALL}</tool_call>`, truth('', LINE)],
    [
      '<tool_call>[]</tool_call>',
      '<think></think>\n<response>None of the tools can be used for this.</response>',
    ],
    ['<think>\nok\n</think>\ndone', '<think>ok</think>\n<response>done</response>'],
    ['<think>\nok\n</think>\n', '<think>ok</think>'],
    ['Which day?', '<think></think>\n<response>Which day?</response>'],
  ])('and thoughts are read: %j', async (text, expected) => {
    expect(await truths(row(text))).toEqual([expected]);
  });

  test.each([
    [`<tool_call>${CALL}`, /has a <tool_call> without end; calls are <tool_call>\{"name": …/u],
    [`${CALL}</tool_call>`, /has a <\/tool_call> without beginning; calls are/u],
    ['<tool_call>tide_table(Kiel)</tool_call>', /has a call that is not JSON: .*; calls are/u],
    ['<tool_call>"tide_table"</tool_call>', /is not an object; calls are/u],
    ['<tool_call>[{"arguments": {}}]</tool_call>', /a call without a "name"; calls are/u],
    [`<TOOLCALL>[${CALL}]`, /has a <TOOLCALL> without end/u],
    ['<think>well', /has a <think> without end/u],
    ['well\n</think>\ndone', /has a <think> or <\/think> besides a thought at its beginning/u],
    ['<think>a</think><think>b</think>c', /has a <think> or <\/think> besides/u],
    ['<response>done</response>', /has its answer in a <response>/u],
    ['', /says nothing/u],
    [' \n', /says nothing/u],
    ['<think>\n</think>', /says nothing/u],
  ])('are never taken for words: %j', async (text, reason) => {
    const { samples, rejected } = await readAll(file([row(text)]));
    expect(samples).toEqual([]);
    expect(rejected.map((each) => each.reason)).toEqual([expect.stringMatching(reason)]);
  });
});

describe('rows with calls in their text', () => {
  test("have Hermes's tools and system text wherever they stand", async () => {
    const text = `<tool_call>${CALL}</tool_call>`;
    const tool = { from: 'tool', value: '<tool_response>\n{"high": "07:20"}\n</tool_response>' };
    const result = (row: object) => ({
      ...row,
      conversations: [
        ...(row as { conversations: object[] }).conversations,
        tool,
        { from: 'gpt', value: 'At 07:20.' },
      ],
    });
    for (const words of [apart, hermes]) {
      const { samples, rejected } = await readAll(file([words('Hello'), result(words(text))]));
      expect(rejected).toEqual([]);
      for (const { tools, messages, provenance } of samples) {
        expect(provenance.format).toBe('hermes');
        expect(tools?.map(({ name }) => name)).toEqual(['tide_table']);
        expect(messages[0]).toEqual({
          role: 'system',
          content: 'You are a function calling AI model. Be brief.',
        });
      }
      expect(samples[2]?.messages.slice(2)).toEqual([
        {
          role: 'assistant',
          content: '',
          calls: [{ name: 'tide_table', parameters: { harbour: 'Kiel' } }],
        },
        { role: 'tool', content: '{"high": "07:20"}' },
      ]);
    }
    const { samples } = await readAll(file([toolace('Hello'), toolace(text)]));
    expect(samples.map(({ shape }) => shape)).toEqual(['response', 'call']);
    for (const { tools } of samples) expect(tools?.map(({ name }) => name)).toEqual(['tide_table']);
  });

  test('of OpenAI may have the thought apart, and one place for calls', async () => {
    const question = { role: 'user', content: 'q' };
    const text = `<tool_call>${CALL}</tool_call>`;
    const tool_calls = [{ function: { name: 'tide_table', arguments: '{"harbour": "Kiel"}' } }];
    const row = (assistant: object, ...after: readonly object[]) => ({
      messages: [question, { role: 'assistant', ...assistant }, ...after],
    });
    const answer = { role: 'assistant', content: 'a' };
    const broken = { content: '<tool_call>{', weight: 0 };
    const rows = [
      row({ content: `Now.\n${text}`, reasoning_content: 'Kiel.' }),
      row({ content: `<think>\nKiel.\n</think>\n\nNow.`, tool_calls }),
      row({ content: '<think>\nKiel.\n</think>\n\na', reasoning_content: '' }),
      row({ content: 'a', reasoning_content: '<think>Kiel.' }),
      row({ content: '', reasoning_content: '' }),
      row({ content: `<think>Kiel.</think>${text}`, weight: 0 }, question, answer),
      row(broken, question, answer),
      row({ content: text, tool_calls }),
    ];
    const { samples, rejected } = await readAll(file(rows));
    expect(samples.map(({ groundTruth }) => groundTruth)).toEqual([
      `${truth('Kiel.', LINE)}\n<response>Now.</response>`,
      truth('Kiel.\nNow.', LINE),
      '<think>Kiel.</think>\n<response>a</response>',
      '<think><think>Kiel.</think>\n<response>a</response>',
      '<think></think>\n<response></response>',
      '<think></think>\n<response>a</response>',
      '<think></think>\n<response>a</response>',
    ]);
    expect(samples[5]?.messages[1]).toMatchObject({ content: '', calls: [{ name: 'tide_table' }] });
    expect(samples[6]?.messages[1]).toEqual({ role: 'assistant', content: broken.content });
    expect(rejected).toEqual([
      expect.objectContaining({
        row: 8,
        field: 'messages[1].content',
        reason: 'has calls in its text, and "tool_calls" besides: leave out one of them',
      }),
    ]);
  });

  test('are calls in a converted file, where words keep their tags', async () => {
    const rlla = ['<tool_call>', '<think>', ' ', 'a</think>b'].map((words) => ({
      instruction: 'i',
      input: 'q',
      output: `<think></think>\n<response>${words}</response>`,
    }));
    for (const rows of [rlla, [trl(`<tool_call>[${CALL}]</tool_call>`)]]) {
      const from = file(rows);
      const to = join(folder, `converted-${++written}`);
      await rewriteData(from, to, { maxBadRows: 0, dedupe: false });
      const [before, after] = await Promise.all([readAll(from), readAll(to)]);
      expect(after.rejected).toEqual([]);
      const what = (all: typeof before) =>
        all.samples.map(({ groundTruth, messages, calls }) => [groundTruth, messages, calls]);
      expect(what(after)).toEqual(what(before));
    }
  });

  test('of formats with a place for calls keep their words to the character', async () => {
    const words = '  Ahoy!\n';
    for (const row of [trl, sharegpt, toolace]) {
      expect(await truths(row(words))).toEqual([`<think></think>\n<response>${words}</response>`]);
    }
    // Hermes's never did.
    expect(await truths(hermes(words))).toEqual(['<think></think>\n<response>Ahoy!</response>']);
  });
});

describe("ToolACE's calls", () => {
  test.each([
    ['[f(a="x")', /the end where "\]" belongs/u],
    ['[Get Tides (a="x"), g(b=1', /the end where "," or "\)" belongs/u],
    ['[f(a="x"), ]', /the name of a tool/u],
    ['[f(a="x")].', /"\." where nothing more belongs/u],
    ['[f(a="x")]\nThat is all.', /where nothing more belongs/u],
    ['[f(', /a parameter/u],
    ['[f(har', /"=" belongs/u],
    ['[f()', /the end where "\]" belongs/u],
  ])('that are cut short or followed by words are no words: %j', async (text, reason) => {
    const read = readCallExpressions(text, 'value');
    expect(read !== undefined && 'reason' in read ? read.reason : 'none').toMatch(reason);
    const { rejected } = await readAll(file([toolace(text), toolace(`<think>a</think>\n${text}`)]));
    expect(rejected.map(({ field }) => field)).toEqual(
      Array.from({ length: 2 }, () => 'conversations[1].value'),
    );
  });

  test.each([
    '[Note (as asked)] At 07:20.',
    '[1] At 07:20 (Kiel).',
    '[x, f(a=1) would do',
    '[high water](https://example.org/?a=1)',
    '[The function f (see above) needs a harbour]',
  ])('are not seen in words: %j', async (text) => {
    expect(await truths(toolace(text))).toEqual([`<think></think>\n<response>${text}</response>`]);
  });

  test('come after a thought', async () => {
    expect(await truths(toolace('<think>a</think>\n\n[tide_table(harbour="Kiel")]'))).toEqual([
      truth('a', LINE),
    ]);
  });

  test('are read as before from the published rows', async () => {
    const rows = JSON.parse(readFileSync(formatFixture('toolace.json'), 'utf8')) as object[];
    expect((await readAll(file(rows))).samples.map(({ shape }) => shape)).toEqual([
      'call',
      'response',
      'call',
      'response',
    ]);
  });
});
