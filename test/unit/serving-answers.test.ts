import { array, assert, constantFrom, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PolicyText } from '../../contracts/policy.ts';
import { folderFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { BUILTIN_POLICY } from '../../policy/checkpoint/builtin-policy.ts';
import { readPolicyText } from '../../policy/text/policy-text.ts';
import { createAnswerReader, type AnswerPart } from '../../serving/answer-reader.ts';
import { createCompletionText } from '../../serving/completion-text.ts';

const MANY = Number.POSITIVE_INFINITY;

/** An answer read in pieces, neighbouring texts joined. */
function read(pieces: readonly string[], maxCalls = MANY) {
  const reader = createAnswerReader(maxCalls);
  const parts = [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
  const told = (kind: AnswerPart['kind']): string =>
    parts.map((part) => (part.kind === kind && part.kind !== 'call' ? part.text : '')).join('');
  return {
    thought: told('thought'),
    content: told('content'),
    calls: parts.flatMap((part) => (part.kind === 'call' ? [part.call] : [])),
  };
}

const call = (name: string, given: string) => `{"name": "${name}", "parameters": ${given}}`;
const block = (...lines: string[]) => `<tool_call>\n${lines.join('\n')}\n</tool_call>`;

describe('an answer', () => {
  it.each<[string, string, ReturnType<typeof read>]>([
    [
      'thought and calls',
      `<think>so</think>\n${block(call('a', '{"x": 1.0, "y": 12345678901234567890}'), call('b', '{}'))}`,
      {
        thought: 'so',
        content: '',
        calls: [
          { name: 'a', arguments: '{"x": 1.0, "y": 12345678901234567890}' },
          { name: 'b', arguments: '{}' },
        ],
      },
    ],
    [
      'words in their tags',
      '<think>so</think>\n<response>none of them fits </response>\n',
      { thought: 'so', content: 'none of them fits', calls: [] },
    ],
    [
      'words around calls',
      `I will.\n${block(call('a', '{}'))}\nDone <b>`,
      { thought: '', content: 'I will.\n\nDone <b>', calls: [{ name: 'a', arguments: '{}' }] },
    ],
    [
      'calls within the thought, which goes on behind them',
      `<think>so\n${block(call('a', '{}'))}\nand so</think>\n<response>ok</response>`,
      {
        thought: 'so\n\nand so',
        content: 'ok',
        calls: [{ name: 'a', arguments: '{}' }],
      },
    ],
    [
      'a line that is no JSON makes all of it text',
      block(call('a', '{}'), 'oops'),
      { thought: '', content: block(call('a', '{}'), 'oops'), calls: [] },
    ],
    [
      'calls without an end are text',
      '<tool_call>\n{"name": "a"',
      { thought: '', content: '<tool_call>\n{"name": "a"', calls: [] },
    ],
    [
      'what JSON cannot hold is text',
      block(call('a', '{"x": NaN}')),
      { thought: '', content: block(call('a', '{"x": NaN}')), calls: [] },
    ],
  ])('%s', (_, text, expected) => {
    expect(read([text])).toEqual(expected);
  });

  it('has no more calls than were asked for', () => {
    const text = block(call('a', '{}'), call('b', '{}'));
    expect(read([text], 1).calls.map(({ name }) => name)).toEqual(['a']);
  });

  it('is the same however it comes in', () => {
    const tags = [
      '<think>',
      '</think>',
      '<tool_call>',
      '</tool_call>',
      '<response>',
      '</response>',
    ];
    const piece = constantFrom(
      ...tags,
      '\n',
      ' ',
      'a',
      '<',
      call('a', '{}'),
      call('b', '{"c": [1]}'),
    );
    assert(
      property(array(piece, { maxLength: 12 }), array(nat(60)), (pieces, cuts) => {
        const text = pieces.join('');
        const places = [...new Set(cuts)].filter((at) => at < text.length).sort((a, b) => a - b);
        const cut = [0, ...places].map((at, i) => text.slice(at, places[i] ?? text.length));
        expect(read(cut)).toEqual(read([text]));
      }),
    );
  });
});

/** A policy whose tokens are bytes, of which three make a character. */
const bytes = {
  decode: (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids)),
} as PolicyText;

/** What a completion comes to, token by token. */
function told(text: string, stops: readonly string[], policy: PolicyText, ids?: number[]) {
  const completion = createCompletionText(policy, stops, false);
  let all = '';
  for (const id of ids ?? new TextEncoder().encode(text)) {
    const added = completion.push(id);
    expect(added.text).not.toContain('\uFFFD');
    all += added.text;
    if (added.stopped) return { all, stopped: true };
  }
  return { all: all + completion.end(), stopped: false };
}

describe('a completion as text', () => {
  it('comes in whole characters', () => {
    expect(told('a€b💡', [], bytes)).toEqual({ all: 'a€b💡', stopped: false });
    const cut = createCompletionText(bytes, [], false);
    expect(cut.push(0xe2).text + cut.end()).toBe('\uFFFD');
  });

  it('ends before the first stop, which may come in parts', () => {
    expect(told('one two three', ['two', 'o t'], bytes)).toEqual({ all: 'one ', stopped: true });
    expect(told('on the', ['the end', 'then'], bytes)).toEqual({ all: 'on the', stopped: false });
  });

  it('is what all of its tokens are together', async () => {
    const text = await readPolicyText(await folderFiles(BUILTIN_POLICY));
    const written = `<think>ok</think>\n${block(call('alarm_set', '{"time": "10:30", "ä": "é 💡"}'))}`;
    expect(told('', [], text, text.encode(written)).all).toBe(written);
    const atEnd = createCompletionText(text, [], true);
    for (const id of text.encode(written)) expect(atEnd.push(id).text).toBe('');
    expect(atEnd.end()).toBe(written);
  });
});
