import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerLines, call } from '../../cli/commands/call.ts';
import { painter } from '../../cli/render/text.ts';
import { PROGRAM } from '../program.ts';

const TOOLS = [
  { name: 'alarm_set', parameters: { time: { type: 'time' }, label: { type: 'string' } } },
  { name: 'light_dim', parameters: { room: { type: 'string' } } },
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample cli serving '));
  await writeFile(join(folder, 'tools.json'), JSON.stringify(TOOLS));
  await writeFile(join(folder, 'nameless.json'), JSON.stringify([TOOLS[0], {}]));
  await writeFile(join(folder, 'key'), ' secret\n');
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function start(...args: string[]): ChildProcess {
  // No data folder: none may be made.
  const env = { ...process.env, TOOLSAMPLE_HOME: join(folder, 'none') };
  return spawn(process.execPath, [PROGRAM, ...args], { cwd: folder, env });
}

async function ended(child: ChildProcess) {
  const [out, err, [code, signal]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'exit'),
  ]);
  return { out, err, code: code as number | null, signal: signal as string | null };
}

const nowhere = (): void => undefined;

describe('call', () => {
  it('prints what a policy answers harmlessly', () => {
    const given = '{"a": "\u001b[2J"}';
    const tool = {
      id: 'a',
      type: 'function' as const,
      function: { name: '\u0007f', arguments: given },
    };
    const message = {
      role: 'assistant' as const,
      content: 'so\u009b31m',
      refusal: null,
      tool_calls: [tool],
    };
    const choice = { index: 0, message, finish_reason: 'stop' as const, logprobs: null };
    expect(answerLines({ choices: [choice] })).toEqual(['\\x07f {"a": "\\x1b[2J"}', 'so\\x9b31m']);
  });

  it('asks the shipped policy where no run has completed', async () => {
    const { out, err, code } = await ended(
      start('call', 'set the alarm at 10:30 with label mo', '--tools', 'tools.json'),
    );
    expect(out).toBe('alarm_set {"time": "10:30", "label": "mo"}\n');
    expect(err).toMatch(/toolsample-builtin, \d+ tokens/);
    expect(code).toBe(0);
  });

  it.each([
    [
      'tools that are not there',
      'none.json',
      undefined,
      /none\.json: there is no such file — give/,
    ],
    ['tools in a folder', '.', undefined, /: is a folder — give/],
    ['no tools', 'key', undefined, /key: is not JSON: .*secret.* — expected \[\{"name"/],
    ['a tool without a name', 'nameless.json', 'builtin', /nameless\.json: tools\[1\]: is a tool/],
    ['a policy that is not there', 'tools.json', './no', /no such folder/],
    ['a question that is too long', 'tools.json', 'builtin', /context of 256/],
  ])('says what is wrong: %s', async (_, file, policy, problem) => {
    const terminal = { print: nowhere, note: nowhere, paint: painter(false), live: false };
    const context = {
      terminal: { ...terminal, width: () => 80, outliveReader: nowhere },
      home: folder,
      json: false,
    };
    const flags = {
      tools: join(folder, file),
      temperature: 0,
      seed: 0,
      maxCompletionLength: 8,
      ...(policy === undefined ? {} : { policy }),
    };
    const asked = call(context, 'ab '.repeat(300), flags);
    await expect(asked).rejects.toThrow(problem);
    await expect(asked).rejects.toMatchObject({ exitCode: 2 });
  });
});

it('serve asks for its key, finishes what is under way when it is told to stop, and ends with 0', async () => {
  const child = start('serve', '--json', '--policy', 'builtin', '--api-key-file', 'key');
  const over = ended(child);
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  const { address, model } = JSON.parse(line) as { address: string; model: string };
  expect(model).toBe('toolsample-builtin');
  expect((await fetch(`${address}/models`)).status).toBe(401);
  const answer = await fetch(`${address}/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer secret' },
    body: JSON.stringify({ prompt: '<|user|>a', max_tokens: 128, stream: true, temperature: 2 }),
  });
  child.kill('SIGTERM');
  const told = await answer.text();
  expect(told).toMatch(/"finish_reason":"(stop|length)"[\s\S]*data: \[DONE\]\n\n$/);
  expect(await over).toMatchObject({ code: 0, signal: null });
}, 60_000);
