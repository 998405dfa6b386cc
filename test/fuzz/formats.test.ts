import { readFile } from 'node:fs/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATA_FORMATS, type RejectedRow, type Sample } from '../../contracts/sample.ts';
import { spacedJson } from '../../contracts/tool-call-text.ts';
import { isRejected } from '../../datasets/dataset.ts';
import { readCallExpressions } from '../../datasets/formats/call-expressions.ts';
import { withoutForm } from '../../datasets/formats/form-text.ts';
import { NotLiteral, parseLiteral } from '../../datasets/formats/literal.ts';
import { openRowReader } from '../../datasets/formats/recognise.ts';
import { contentKey } from '../../datasets/held-out.ts';
import { openaiRow } from '../../datasets/openai-row.ts';
import { groundTruthCalls } from '../../dscl/ground-truth.ts';
import { formatFixture } from '../unit/support/read-data.ts';
import { fuzz, FUZZ_TIMEOUT, inTime } from './support/cases.ts';
import { broken, hostileText, hostileValue, nestedText } from './support/hostile-json.ts';

const FILES = {
  rlla: 'rlla.json',
  xlam: 'xlam.json',
  toolace: 'toolace.json',
  hermes: 'hermes.json',
  'apigen-mt': 'apigen-mt.json',
  openai: 'openai.jsonl',
  bfcl: 'bfcl/BFCL_sample.json',
} as const;

async function rowsOf(name: string): Promise<unknown[]> {
  const text = await readFile(formatFixture(name), 'utf8');
  if (text.startsWith('[')) return JSON.parse(text) as unknown[];
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

/** Texts that readers look into, with parts that they look for. */
const TEXT_PARTS = [
  '<tool_call>', '</tool_call>', '<tools>', '</tools>', '<scratch_pad>', '</scratch_pad>', '<think>', '</think>', '<response>',
  '</response>', '[f(', ')]', '(', ')', '[', ']', '{', '}', '=', ',', ':', '"', "'", '\\', '\\u12', 'None', 'True', '1e9',
  '{"name": "f", "arguments": {}}', ' ', '\n',
] as const; // prettier-ignore

const pieces = (): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...TEXT_PARTS) }, hostileText()), {
      maxLength: 20,
    })
    .map((parts) => parts.join(''));

function check(items: readonly (Sample | RejectedRow)[]): Sample[] {
  expect(items.length).toBeGreaterThan(0);
  for (const item of items) if (isRejected(item)) expect(item.reason.length).toBeLessThan(500);
  return items.filter((item): item is Sample => !isRejected(item));
}

/** The row with any of its texts replaced. */
function withTexts(row: unknown): fc.Arbitrary<unknown> {
  return fc.tuple(pieces(), fc.nat()).map(([text, which]) => {
    const count = { texts: 0 };
    JSON.stringify(row, (_key, value: unknown) => {
      if (typeof value === 'string') count.texts++;
      return value;
    });
    let at = 0;
    const json = JSON.stringify(row, (_key, value: unknown) =>
      typeof value === 'string' && at++ === which % count.texts ? text : value,
    );
    return JSON.parse(json) as unknown;
  });
}

describe('rows', { timeout: FUZZ_TIMEOUT }, () => {
  it.each(DATA_FORMATS)('of %s make samples or rejections, whatever they are', async (format) => {
    const read = await openRowReader(format, formatFixture(FILES[format]));
    const openai = await openRowReader('openai', '');
    const rows = await rowsOf(FILES[format]);
    const cases = fc.oneof(
      ...rows.map(broken),
      ...rows.map((row) => withTexts(row)),
      hostileValue(),
    );
    await fuzz(cases, async (row) => {
      const samples = check(await inTime(() => read(row, 'file', 1)));
      for (const sample of samples) {
        groundTruthCalls(sample);
        const [again] = check(openai(JSON.parse(JSON.stringify(openaiRow(sample))), 'file', 1));
        expect(again?.calls).toEqual(JSON.parse(JSON.stringify(sample.calls)));
        expect(again?.shape).toBe(sample.shape);
      }
    });
  });
});

describe('texts in rows', { timeout: FUZZ_TIMEOUT }, () => {
  it('of JSON are read as JSON is', async () => {
    await fuzz(hostileValue(), async (value) => {
      const text = JSON.stringify(value);
      let read: unknown;
      try {
        read = await inTime(() => parseLiteral(text));
      } catch (error) {
        // Deeper than values may be.
        expect(error).toBeInstanceOf(NotLiteral);
        expect(String(error)).toMatch(/nests deeper/u);
        return;
      }
      expect(JSON.parse(spacedJson(read as string))).toEqual(JSON.parse(text));
    });
  });

  it('of calls are read or not, whatever they are', async () => {
    await fuzz(pieces(), async (text) => {
      for (const each of [text, `[f(${text})]`, `[${text}]`]) {
        const read = await inTime(() => readCallExpressions(each, 'value'));
        if (read !== undefined && 'reason' in read) expect(read.reason.length).toBeLessThan(500);
        withoutForm(each);
      }
    });
  });

  it('of a conversation without end make no samples without end', async () => {
    const read = await openRowReader('openai', '');
    const call = { id: 'a', function: { name: 'f', arguments: '' } };
    const turns = Array.from({ length: 150_000 }, () => ({ role: 'assistant', content: 'a' }));
    const calls = {
      role: 'assistant',
      tool_calls: Array.from({ length: 20_000 }, (_, id) => ({ ...call, id })),
    };
    const results = turns.map((_, i) => ({ role: 'tool', content: '', tool_call_id: -i }));
    for (const messages of [turns, [calls, ...results]]) {
      const question = { role: 'user', content: 'q' };
      await inTime(() => check(read({ messages: [question, ...messages] }, 'file', 1)));
    }
    const asked = turns.map(() => ({ role: 'system', content: '' }));
    const [sample] = check(
      read({ messages: [...asked, { role: 'assistant', content: 'a' }] }, 'file', 1),
    );
    expect(sample === undefined ? NaN : contentKey(sample)).toBeGreaterThan(0);
  });

  const LONG = 1 << 20;
  it.each([
    ['brackets', nestedText(LONG / 2 - 10)],
    ['parentheses', '('.repeat(LONG - 10)],
    ['calls', `[${'f(a=1), '.repeat(LONG / 9)}f()]`],
    ['names', `[${'f'.repeat(LONG - 10)}()]`],
    ['open calls', `[${'f('.repeat(LONG / 2 - 10)})]`],
    ['tags', '<tool_call>'.repeat(LONG / 11)],
    ['pairs of tags', '<tool_call></tool_call>'.repeat(LONG / 23)],
    ['tools', '<tools>'.repeat(LONG / 14) + '</tools>'.repeat(LONG / 16)],
    ['escapes', `[f(a="${'\\'.repeat(LONG - 20)}")]`],
    ['white space', `[f(a=${' '.repeat(LONG - 20)}1)]`],
    ['sentences', '. '.repeat(LONG / 2)],
  ])('end in time with %s', async (_what, text) => {
    for (const format of ['toolace', 'hermes', 'apigen-mt'] as const) {
      const read = await openRowReader(format, '');
      const from = { toolace: 'assistant', hermes: 'gpt', 'apigen-mt': 'function_call' }[format];
      const conversations = [
        { from: format === 'toolace' ? 'user' : 'human', value: 'q' },
        { from, value: text },
      ];
      await inTime(() => check(read({ system: text, tools: text, conversations }, 'file', 1)));
      await inTime(() =>
        check(
          read({ conversations: [{ from: 'system', value: text }, ...conversations] }, 'file', 1),
        ),
      );
    }
  });
});
