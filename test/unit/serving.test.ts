import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import OpenAI, {
  type APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BUILTIN_POLICY } from '../../policy/checkpoint/builtin-policy.ts';
import { folderPolicy, type LoadablePolicy } from '../../policy/engine/policy-files.ts';
import { TINY, writeTinyPolicy } from './support/tiny-policy.ts';
import { servePolicy, type PolicyServer, type ServeOptions } from '../../serving/serve.ts';

/** What servers said of their own mistakes. */
const failures: string[] = [];

const OPTIONS: ServeOptions = {
  model: 'shipped',
  strictModel: false,
  host: '127.0.0.1',
  port: 0,
  token: null,
  rows: 16,
  queue: 64,
  maxCompletionLength: 64,
  seconds: 60,
  threads: 0,
  device: 'cpu',
  precision: 'float32',
  log: (message) => {
    failures.push(message);
  },
};

let policy: LoadablePolicy;
let server: PolicyServer;
let client: OpenAI;
/** Asks a server with one place and one to wait. */
let slow: OpenAI;
const others: PolicyServer[] = [];

beforeAll(async () => {
  policy = await folderPolicy(BUILTIN_POLICY);
  server = await servePolicy(policy, OPTIONS);
  client = clientOf(server);
}, 60_000);
afterEach(async () => {
  for (const other of others.splice(0)) await other.close();
  expect(failures.splice(0)).toEqual([]);
});
afterAll(async () => {
  await server.close();
});

function clientOf({ address }: PolicyServer, apiKey = 'any'): OpenAI {
  return new OpenAI({ baseURL: address, apiKey, maxRetries: 0 });
}

async function another(options: Partial<ServeOptions>): Promise<PolicyServer> {
  const started = await servePolicy(policy, { ...OPTIONS, ...options });
  others.push(started);
  return started;
}

const tool = (name: string, properties: Record<string, unknown>): OpenAI.ChatCompletionTool => ({
  type: 'function',
  function: { name, description: '', parameters: { type: 'object', properties } },
});

const TOOLS = [
  tool('alarm_set', {
    time: { type: 'string', format: 'time' },
    label: { type: 'string' },
  }),
  tool('light_dim', { room: { type: 'string' } }),
];
const ALARM = {
  model: 'gpt-5',
  messages: [{ role: 'user', content: 'set the alarm at 10:30 with label mo' }],
  tools: TOOLS,
  temperature: 0,
} satisfies OpenAI.ChatCompletionCreateParamsNonStreaming;
const ALARM_ARGUMENTS = { time: '10:30', label: 'mo' };
/** The same as text, as it is rendered. */
const PROMPT =
  '<|system|>alarm_set(time: time, label: str)\nlight_dim(room: str)<|user|>set the alarm at 10:30 with label mo<|assistant|>';

const called = (completion: OpenAI.ChatCompletion) =>
  completion.choices[0]?.message.tool_calls?.map((call) =>
    call.type === 'function' ? [call.function.name, JSON.parse(call.function.arguments)] : [],
  );

/** The alarm's answer, drawn. */
async function draw(seed: number, n = 1): Promise<OpenAI.ChatCompletion> {
  return client.chat.completions.create({ ...ALARM, temperature: 1.2, seed, n, logprobs: true });
}

const tokens = ({ choices }: OpenAI.ChatCompletion) =>
  choices.map(({ logprobs }) => logprobs?.content?.map(({ token }) => token));

describe('chat completions', () => {
  it('call tools, whatever the model is called, and tell what it took', async () => {
    const completion = await client.chat.completions.create({
      ...ALARM,
      store: false,
      user: 'ada',
      metadata: { a: 'b' },
    });
    expect(called(completion)).toEqual([['alarm_set', ALARM_ARGUMENTS]]);
    const { message, finish_reason } = completion.choices[0]!;
    expect(message.content).toBeNull();
    expect(message.tool_calls?.[0]?.id).toMatch(/^call_\w+$/);
    expect(finish_reason).toBe('tool_calls');
    const { prompt_tokens, completion_tokens, total_tokens } = completion.usage!;
    expect(prompt_tokens).toBeGreaterThan(10);
    expect(completion_tokens).toBeGreaterThan(10);
    expect(total_tokens).toBe(prompt_tokens + completion_tokens);
    expect(completion.model).toBe('shipped');
  });

  it('stream the same, calls as deltas and usage at the end', async () => {
    const whole = await client.chat.completions.create(ALARM);
    const stream = client.chat.completions.stream({
      ...ALARM,
      stream_options: { include_usage: true },
    });
    const kinds: string[] = [];
    for await (const chunk of stream) {
      const [choice] = chunk.choices;
      if (choice?.delta.tool_calls !== undefined) kinds.push('call');
      if (choice?.finish_reason === 'tool_calls') kinds.push('end');
      if (choice === undefined) kinds.push('usage');
    }
    expect(kinds).toEqual(['call', 'call', 'end', 'usage']);
    const streamed = await stream.finalChatCompletion();
    expect(called(streamed)).toEqual([['alarm_set', ALARM_ARGUMENTS]]);
    expect(streamed.usage).toEqual(whole.usage);
  });

  it('go on after the results of tools', async () => {
    const first = await client.chat.completions.create(ALARM);
    const asked = first.choices[0]!.message;
    const second = await client.chat.completions.create({
      ...ALARM,
      messages: [
        { role: 'developer', content: 'be brief' },
        ...ALARM.messages,
        asked,
        { role: 'tool', tool_call_id: asked.tool_calls![0]!.id, content: 'done' },
      ],
    });
    expect(second.usage!.prompt_tokens).toBeGreaterThan(first.usage!.prompt_tokens);
  });

  it.each<[string, OpenAI.ChatCompletionToolChoiceOption, RegExp]>([
    ['none', 'none', /^$/],
    ['required', 'required', /^(alarm_set|light_dim)$/],
    ['a tool by name', { type: 'function', function: { name: 'light_dim' } }, /^light_dim$/],
  ])('obey tool_choice: %s', async (_, tool_choice, name) => {
    const completion = await client.chat.completions.create({ ...ALARM, tool_choice });
    expect(called(completion)?.[0]?.[0] ?? '').toMatch(name);
  });

  it('give the same tokens for the same seed, whatever else is asked at the time', async () => {
    const alone = await draw(7);
    const [among] = await Promise.all([draw(7), draw(8, 3), draw(9), draw(10, 2)]);
    expect(tokens(among)).toEqual(tokens(alone));
    const [first, second, third] = tokens(await draw(7, 3));
    expect(first).toEqual(tokens(alone)[0]);
    expect([second, third]).not.toEqual([first, first]);
  });

  it('tell log-probabilities', async () => {
    const completion = await client.chat.completions.create({
      ...ALARM,
      logprobs: true,
      top_logprobs: 3,
    });
    const content = completion.choices[0]!.logprobs!.content!;
    expect(content).toHaveLength(completion.usage!.completion_tokens);
    for (const { token, logprob, bytes, top_logprobs } of content) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top_logprobs.map((other) => other.logprob)[0]).toBe(logprob);
      expect(top_logprobs).toHaveLength(3);
      expect(Buffer.from(bytes ?? []).toString()).toBe(token);
    }
  });

  it('end at a stop, at the limit, and stay within one call where one is asked for', async () => {
    const without = { ...ALARM, tool_choice: 'none' as const };
    const stopped = await client.chat.completions.create({ ...ALARM, stop: ['alarm'] });
    expect(stopped.choices[0]!.finish_reason).toBe('stop');
    expect(stopped.choices[0]!.message.content).not.toContain('alarm');
    const cut = await client.chat.completions.create({ ...without, max_completion_tokens: 3 });
    expect(cut.choices[0]!.finish_reason).toBe('length');
    expect(cut.usage!.completion_tokens).toBe(3);
    const single = await client.chat.completions.create({ ...ALARM, parallel_tool_calls: false });
    expect(called(single)).toHaveLength(1);
  });
});

describe('completions', () => {
  it('complete a prompt that is rendered already, and ids', async () => {
    const params = { model: 'x', temperature: 0, max_tokens: 64 };
    const { choices, usage } = await client.completions.create({ ...params, prompt: PROMPT });
    expect(choices[0]!.text).toContain('{"name": "alarm_set", "parameters": {"time": "10:30"');
    const chat = await client.chat.completions.create(ALARM);
    expect(usage).toEqual(chat.usage);
    const many = await client.completions.create({ ...params, prompt: [PROMPT, PROMPT], n: 2 });
    expect(many.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(new Set(many.choices.map(({ text }) => text))).toEqual(new Set([choices[0]!.text]));
    const ids = await client.completions.create({ ...params, prompt: [2, 30, 3], logprobs: 2 });
    expect(ids.choices[0]!.logprobs?.tokens).toHaveLength(ids.usage!.completion_tokens);
    expect(Object.keys(ids.choices[0]!.logprobs?.top_logprobs?.[0] ?? {})).toHaveLength(2);
  });

  it('stream', async () => {
    const params = { model: 'x', prompt: PROMPT, temperature: 0, max_tokens: 64 };
    const whole = await client.completions.create(params);
    let text = '';
    const reasons: unknown[] = [];
    for await (const { choices } of await client.completions.create({ ...params, stream: true })) {
      text += choices[0]?.text ?? '';
      reasons.push(choices[0]?.finish_reason);
    }
    expect(text).toBe(whole.choices[0]!.text);
    expect(reasons.at(-1)).toBe('stop');
  });
});

/** The error that a request is answered. */
const refused = async (body: object, path = '/chat/completions'): Promise<APIError> =>
  client.post(path, { body }).then(
    () => expect.unreachable(),
    (error: unknown) => error as APIError,
  );

/** Asks for a token as a page may without asking first: `text/plain`, with whatever headers its browser adds. */
async function askWith(
  headers: { readonly [header: string]: string },
  { address }: PolicyServer = server,
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      `${address}/completions`,
      { method: 'POST', headers: { 'content-type': 'text/plain', ...headers } },
      (reply) => {
        text(reply).then((body) => {
          resolve({ status: reply.statusCode, body });
        }, reject);
      },
    );
    asked.on('error', reject);
    asked.end(JSON.stringify({ prompt: PROMPT, max_tokens: 1 }));
  });
}

describe('what is refused', () => {
  it.each<[string, object, string | null, RegExp]>([
    ['no messages', { messages: [] }, 'messages', /is not a list of objects/],
    ['a role', { messages: [{ role: 'king', content: '' }] }, 'messages[0].role', /"king"/],
    [
      'an image',
      { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      'messages[0].content[0]',
      /only texts/,
    ],
    ['a temperature', { ...ALARM, temperature: 3 }, 'temperature', /must be at most 2, not 3/],
    ['a penalty', { ...ALARM, presence_penalty: 1 }, 'presence_penalty', /not supported/],
    [
      'JSON mode',
      { ...ALARM, response_format: { type: 'json_object' } },
      'response_format.type',
      /not supported/,
    ],
    [
      'an unknown tool',
      { ...ALARM, tool_choice: { type: 'function', function: { name: 'a' } } },
      'tool_choice.function.name',
      /"a"/,
    ],
    ['too many at once', { ...ALARM, n: 17 }, 'n', /completes 16 at once/],
    [
      'a long prompt',
      { messages: [{ role: 'user', content: 'ab '.repeat(300) }] },
      'messages',
      /context of 256/,
    ],
  ])('%s', async (_, body, param, message) => {
    const error = await refused(body);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ param, type: 'invalid_request_error' });
    expect(error.message).toMatch(message);
  });

  it('echo and foreign ids', async () => {
    expect((await refused({ prompt: 'a', echo: true }, '/completions')).param).toBe('echo');
    expect((await refused({ prompt: [5000] }, '/completions')).message).toContain('token id 5000');
  });

  it('what is no JSON, is too large, or is nowhere', async () => {
    const post = async (body: string) =>
      fetch(`${server.address}/chat/completions`, { method: 'POST', body });
    expect((await post('{')).status).toBe(400);
    expect((await post('['.repeat(9_000_000))).status).toBe(413);
    expect((await post('['.repeat(9_000))).status).toBe(400);
    const nowhere = await fetch(`${server.address}/embeddings`);
    expect(nowhere.status).toBe(404);
    expect(await nowhere.json()).toMatchObject({ error: { type: 'not_found_error' } });
  });

  it('the interface of responses, with what to use in its place', async () => {
    const error = await client.responses
      .create({ model: 'x', input: 'set the alarm' })
      .catch((reason: unknown) => reason as APIError);
    expect(error).toBeInstanceOf(NotFoundError);
    expect((error as APIError).message).toMatch(
      /no POST \/v1\/responses: .*\/v1\/chat\/completions.*openai\.chat.*OpenAIChatCompletionsModel/,
    );
  });

  it('another model where that is asked for, another key, and names that are not ours', async () => {
    const guarded = await another({ token: 'secret', strictModel: true });
    await expect(clientOf(guarded).models.list()).rejects.toThrow(AuthenticationError);
    const friend = clientOf(guarded, 'secret');
    expect((await friend.models.list()).data.map(({ id }) => id)).toEqual(['shipped']);
    expect(await friend.models.retrieve('shipped')).toMatchObject({ id: 'shipped' });
    await expect(friend.chat.completions.create(ALARM)).rejects.toThrow(NotFoundError);
    const { choices } = await friend.chat.completions.create({ ...ALARM, model: 'shipped' });
    expect(choices).toHaveLength(1);
    expect((await askWith({ host: 'evil.example' })).status).toBe(403);
  });

  it.each<[string, { readonly [header: string]: string }]>([
    ['of another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['of another site, in an old browser', { origin: 'https://evil.example' }],
    ['whose address begins with ours', { origin: 'http://127.0.0.1.evil.example:8000' }],
    ['that hides where it is from', { origin: 'null' }],
    ['that posts a form without its origin', { 'sec-fetch-site': 'cross-site' }],
  ])('a page %s, which could have us compute', async (_, headers) => {
    const { status, body } = await askWith(headers);
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({
      error: { type: 'permission_error', message: expect.stringMatching(/page of another site/) },
    });
  });

  it.each<[string, { readonly [header: string]: string }]>([
    ['a program', {}],
    ['a page of this machine', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' }],
    ['somebody who typed the address', { 'sec-fetch-site': 'none' }],
  ])('but not %s', async (_, headers) => {
    expect((await askWith(headers)).status).toBe(200);
  });

  it('no page at all where every request brings a key', async () => {
    const guarded = await another({ token: 'secret' });
    const headers = { origin: 'https://app.example', authorization: 'Bearer secret' };
    expect((await askWith(headers, guarded)).status).toBe(200);
  });

  it('no address that is none, and names the flag of it', async () => {
    await expect(another({ host: '300.1.1.1' })).rejects.toThrow(/300\.1\.1\.1.* — give --host/);
  });

  it('nobody who calls it by the address that it was told to listen on', async () => {
    const elsewhere = await another({ host: '127.0.0.2' });
    expect(elsewhere.address).toContain('127.0.0.2');
    expect((await clientOf(elsewhere).models.list()).data).toHaveLength(1);
  });
});

describe('under load', () => {
  let folder: string;
  let narrow: PolicyServer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'toolsample-serving-'));
    await writeTinyPolicy(join(folder, 'policy'), { ...TINY, contextLength: 65_536 });
    narrow = await servePolicy(await folderPolicy(join(folder, 'policy')), {
      ...OPTIONS,
      rows: 1,
      queue: 1,
      maxCompletionLength: 65_536,
      seconds: 3,
    });
    slow = clientOf(narrow);
  });
  afterAll(async () => {
    await narrow.close();
    await rm(folder, { recursive: true });
  });

  it('64 clients at once are all answered', async () => {
    const asked = Array.from({ length: 64 }, async (_, i) =>
      clientOf(server).chat.completions.create({ ...ALARM, temperature: 1, seed: i }),
    );
    const answers = await Promise.all(asked);
    expect(answers.filter(({ usage }) => usage!.completion_tokens > 0)).toHaveLength(64);
  });

  it('refuses what would have to wait behind too many, and says for how long', async () => {
    const gone = new AbortController();
    const held = [endless(gone), endless(gone)];
    await expect.poll(async () => probe(), { timeout: 5000, interval: 5 }).toBe('full');
    const error = await slow.completions.create(ONE).catch((reason: unknown) => reason);
    expect(Number((error as RateLimitError).headers?.get('retry-after'))).toBeGreaterThan(0);
    gone.abort();
    for (const each of held) await expect(each).rejects.toThrow(APIUserAbortError);
    await expect.poll(async () => probe(), { timeout: 1500, interval: 5 }).toBe('answered');
  });

  it('frees the place of a client that goes in the middle of a stream', async () => {
    const gone = new AbortController();
    const { signal } = gone;
    const waiting = endless(gone);
    const stream = await slow.completions.create({ ...ENDLESS, stream: true }, { signal });
    await expect.poll(async () => probe(), { timeout: 5000, interval: 5 }).toBe('full');
    gone.abort();
    await expect(waiting).rejects.toThrow(APIUserAbortError);
    await drain(stream);
    await expect.poll(async () => probe(), { timeout: 1500, interval: 5 }).toBe('answered');
  });

  it('gives a request up after its time', async () => {
    await expect(slow.completions.create(ENDLESS)).rejects.toMatchObject({
      status: 504,
      code: 'timeout',
    });
  });

  it('ends once those under way are done, and takes no others', async () => {
    const ending = await another({});
    const own = clientOf(ending);
    const stream = await own.chat.completions.create({ ...ALARM, stream: true });
    const stopped = ending.stop();
    await expect(own.chat.completions.create(ALARM)).rejects.toMatchObject({ status: 503 });
    let last: string | null | undefined;
    for await (const { choices } of stream) last = choices[0]?.finish_reason ?? last;
    expect(last).toBe('tool_calls');
    await stopped;
    await expect(own.models.list()).rejects.toThrow(/Connection error/);
    others.pop();
  });
});

/** Would go on for far longer than any of these tests. */
const ENDLESS = { model: 'x', prompt: 'a', temperature: 0, max_tokens: 60_000 };
const ONE = { ...ENDLESS, max_tokens: 1 };

async function endless({ signal }: AbortController): Promise<unknown> {
  return slow.completions.create(ENDLESS, { signal });
}

async function probe(): Promise<string> {
  return slow.completions.create(ONE).then(
    () => 'answered',
    (error: unknown) => (error instanceof RateLimitError ? 'full' : String(error)),
  );
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const part of stream) void part;
}
