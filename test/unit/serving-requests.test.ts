import type OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import type { ApiError } from '../../serving/api-error.ts';
import { readChatRequest } from '../../serving/chat-request.ts';

type Params = OpenAI.ChatCompletionCreateParams;

const LIMITS = { rows: 4, maxCompletionLength: 64 };
const USER: OpenAI.ChatCompletionMessageParam = { role: 'user', content: 'x' };
const TOOLS = ['alarm_set', 'light_dim', 'tide_table'].map((name): OpenAI.ChatCompletionTool => ({
  type: 'function',
  function: { name },
}));

const read = (params: Partial<Params>) =>
  readChatRequest(JSON.stringify({ model: 'x', messages: [USER], ...params }), LIMITS);

const refusal = (params: Partial<Params>): ApiError => {
  try {
    read(params);
  } catch (error) {
    return error as ApiError;
  }
  return expect.unreachable();
};

const allow = (
  mode: 'auto' | 'required',
  ...names: string[]
): OpenAI.ChatCompletionAllowedToolChoice => ({
  type: 'allowed_tools',
  allowed_tools: {
    mode,
    tools: names.map((name) => ({ type: 'function', function: { name } })),
  },
});

const offered = (tool_choice: OpenAI.ChatCompletionToolChoiceOption) => {
  const { prompt, forced } = read({ tools: TOOLS, tool_choice });
  return { names: prompt.tools?.map(({ name }) => name), forced };
};

describe('allowed tools', () => {
  it('are those that are offered', () => {
    expect(offered(allow('auto', 'tide_table', 'alarm_set'))).toEqual({
      names: ['alarm_set', 'tide_table'],
      forced: null,
    });
    expect(offered(allow('required', 'light_dim'))).toEqual({
      names: ['light_dim'],
      forced: 'any',
    });
    expect(offered(allow('auto'))).toEqual({ names: undefined, forced: null });
  });

  it('are among the tools, and are some where one has to be called', () => {
    expect(refusal({ tools: TOOLS, tool_choice: allow('auto', 'bell') })).toMatchObject({
      status: 400,
      param: 'tool_choice.allowed_tools.tools[0].function.name',
    });
    expect(refusal({ tools: TOOLS, tool_choice: allow('required') }).param).toBe('tool_choice');
  });
});

it('a refusal in the history is a text', () => {
  const { prompt } = read({
    messages: [
      USER,
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'no: ' },
          { type: 'refusal', refusal: 'I must not' },
        ],
      },
      USER,
    ],
  });
  expect(prompt.messages.map(({ content }) => content)).toEqual(['x', 'no: I must not', 'x']);
});

it('any whole number is a seed', () => {
  expect(read({ seed: 2 ** 53 + 2 }).seed).toBe(2 ** 53 + 2);
  expect(read({ seed: -(2 ** 63) }).seed).toBe(-(2 ** 63));
  expect(read({ seed: 7 }).seed).toBe(7);
  expect(refusal({ seed: 0.5 }).param).toBe('seed');
});

it('a bias of 0 changes nothing, and any other is refused', () => {
  expect(read({ logit_bias: {} }).n).toBe(1);
  expect(read({ logit_bias: { '5': 0, '7': 0 } }).n).toBe(1);
  const error = refusal({ logit_bias: { '5': 0, '7': -1 } });
  expect(error).toMatchObject({ status: 400, param: 'logit_bias' });
  expect(error.message).toMatch(/only 0/);
});

it('arguments that were cut are refused, with their place', () => {
  const cut = {
    id: 'a',
    type: 'function' as const,
    function: { name: 'f', arguments: '{"a": ' },
  };
  const error = refusal({
    messages: [
      USER,
      { role: 'assistant', tool_calls: [cut] },
      { role: 'tool', tool_call_id: 'a', content: 'no' },
    ],
  });
  expect(error).toMatchObject({ status: 400, param: 'messages[1].tool_calls[0].arguments' });
});

it.each([
  ['{"model": "x"}', 'messages: is missing'],
  ['[]', 'the body must be an object, not []'],
  ['{"messages": [], "stop": 5}', 'stop: must be a text, or a list, not 5'],
  ['{"messages": [], "n": 1.5}', 'n: must be an integer, not 1.5'],
])('what is not as it should be is told in words, with its place: %s', (body, message) => {
  expect(() => readChatRequest(body, LIMITS)).toThrow(message);
});
