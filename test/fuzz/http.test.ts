import * as fc from 'fast-check';
import type { Hono } from 'hono';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PolicyText } from '../../contracts/policy.ts';
import type { Answers } from '../../dashboard/data/answers.ts';
import { dashboardApp } from '../../dashboard/server/app.ts';
import { BUILTIN_POLICY } from '../../policy/checkpoint/builtin-policy.ts';
import { folderFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { readPolicyText } from '../../policy/text/policy-text.ts';
import { ApiError } from '../../serving/api-error.ts';
import { servingApp } from '../../serving/app.ts';
import { createGate } from '../../serving/gate.ts';
import { fuzz, FUZZ_TIMEOUT, inTime } from './support/cases.ts';
import {
  broken,
  brokenBytes,
  hostileText,
  hostileValue,
  nestedText,
} from './support/hostile-json.ts';

const CHAT = {
  model: 'any',
  messages: [
    { role: 'system', content: 'You call tools.' },
    { role: 'user', content: [{ type: 'text', text: 'ring at ten' }] },
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'c', type: 'function', function: { name: 'bell', arguments: '{"at": 10}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'c', content: 'done' },
  ],
  tools: [
    {
      type: 'function',
      function: {
        name: 'bell',
        parameters: { type: 'object', properties: { at: { type: 'integer' } } },
      },
    },
  ],
  tool_choice: { type: 'function', function: { name: 'bell' } },
  n: 2,
  stop: ['x'],
  logprobs: true,
  top_logprobs: 2,
  stream: true,
  stream_options: { include_usage: true },
  logit_bias: {},
};
const TEXT = { model: 'any', prompt: ['a', 'b'], max_tokens: 5, logprobs: 1, echo: false };

/** What a server that is asked for completions says to what it would complete: nothing is computed here. */
const BUSY = 429;
const mistakes: string[] = [];
let text: PolicyText;
let serving: Hono;
beforeAll(async () => {
  text = await readPolicyText(await folderFiles(BUILTIN_POLICY));
  serving = servingApp({
    model: 'shipped',
    strictModel: false,
    token: null,
    ownHostOnly: true,
    text,
    completer: {
      complete: () => {
        throw new ApiError(BUSY, 'full');
      },
    },
    limits: { rows: 16, maxCompletionLength: 64 },
    seconds: 60,
    gate: createGate(),
    log: (message) => mistakes.push(message),
  });
});

/** An answer in JSON that lays the fault on who asked. */
async function refused(path: string, body: string | Uint8Array): Promise<number> {
  const response = await inTime(() =>
    serving.request(path, {
      method: 'POST',
      body: Buffer.from(body),
      headers: { host: 'localhost' },
    }),
  );
  const answer = (await response.json()) as { error?: { message?: unknown } };
  expect(mistakes.splice(0)).toEqual([]);
  expect(typeof answer.error?.message).toBe('string');
  expect(String(answer.error?.message).length).toBeLessThan(2000);
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.status).toBeLessThan(500);
  return response.status;
}

const bodies = (valid: object): fc.Arbitrary<string | Uint8Array> =>
  fc.oneof(
    { weight: 6, arbitrary: broken(valid).map((value) => JSON.stringify(value) ?? '') },
    hostileValue().map((value) => JSON.stringify(value) ?? ''),
    brokenBytes(Buffer.from(JSON.stringify(valid))),
    hostileText(),
  );

const wellFormed = (given: string): string =>
  encodeURIComponent(given.replaceAll(/\p{Surrogate}/gu, '?'));

describe('requests', { timeout: FUZZ_TIMEOUT }, () => {
  it.each([
    ['/v1/chat/completions', CHAT],
    ['/v1/completions', TEXT],
  ])('of %s are read or refused, whatever they are', async (path, valid) => {
    expect(await refused(path, JSON.stringify(valid))).toBe(BUSY);
    await fuzz(bodies(valid), async (body) => {
      await refused(path, body);
    });
  });

  it('that nest without end are refused', async () => {
    for (const depth of [200, 100_000, 1_000_000]) {
      expect(await refused('/v1/chat/completions', nestedText(depth))).toBe(400);
      const inside = JSON.stringify({ ...CHAT, tools: 0 }).replace(
        '"tools":0',
        `"tools":${nestedText(depth)}`,
      );
      expect(await refused('/v1/chat/completions', inside)).toBe(400);
    }
  });

  it('of the dashboard are answered or refused, whatever they are', async () => {
    // Answers of a database that has everything.
    const answers = new Proxy({}, { get: () => async () => ({}) }) as Answers;
    const updates = { subscribe: () => () => undefined } as never;
    const app = dashboardApp({ answers, updates, pages: async () => ({ script: '', style: '' }) });
    const part = fc.oneof(
      hostileText(),
      fc.constantFrom('runs', 'steps', '1', '1e3', '..', 'samples', 'groups'),
    );
    const url = fc.tuple(fc.array(part, { maxLength: 7 }), hostileText(), hostileText());
    await fuzz(
      fc.tuple(url, fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'), hostileText()),
      async ([[parts, key, value], method, host]) => {
        const path = `/api/${parts.map(wellFormed).join('/')}?${wellFormed(key)}=${wellFormed(value)}`;
        const own = host.length % 2 === 0;
        const headers = { host: own ? 'localhost' : host.replaceAll(/[^!-~]/gu, '') };
        const response = await inTime(() => app.request(path, { method, headers }));
        expect(response.status).toBeLessThan(500);
        if (method === 'POST' || method === 'DELETE') expect(response.status).toBeGreaterThan(400);
      },
    );
  });
});
