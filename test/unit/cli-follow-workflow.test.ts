import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { followWorkflow } from '../../cli/follow-workflow.ts';
import { processTerminal } from '../../cli/terminal.ts';
import type { ToolsampleClient } from '../../client.ts';
import { ToolsampleError } from '../../contracts/errors.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'toolsample-follow-'));
});
afterAll(async () => {
  await rm(home, { recursive: true });
});

/** What is told of a workflow whose worker ends at once: nobody can listen on an address kept for documentation. */
async function followed(ended: Promise<void>): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const terminal = { ...processTerminal({}), note: (line: string) => void lines.push(line) };
  const services = { folder: { logs: home } } as ToolsampleClient['services'];
  const code = await followWorkflow({
    context: { terminal, home, json: false, metrics: '192.0.2.1:9464' },
    client: { services },
    goOn: 'the same command goes on',
    stop: async () => undefined,
    ended: async () => ended,
    look: async () => undefined,
  });
  return { code, lines };
}

it('does not send the user back to what the same command meets again', async () => {
  const mistake = new ToolsampleError('dataset', 'is of no known format', {
    at: { file: 'tools.json' },
    hint: 'name a file of samples',
  });
  expect(await followed(Promise.reject(mistake))).toEqual({
    code: 2,
    lines: ['error: tools.json: is of no known format — name a file of samples'],
  });
});

it('says how to go on after what may have passed', async () => {
  expect(await followed(Promise.reject(new ToolsampleError('service', 'was away')))).toEqual({
    code: 1,
    lines: ['error: was away', 'the same command goes on'],
  });
});

it('ends as its worker does, where that has found a mistake', async () => {
  const { code, lines } = await followed(new Promise(() => undefined));
  expect(code).toBe(2);
  expect(lines).toEqual([
    expect.stringMatching(
      /^error: the worker ended with code 2 \(field "metrics": cannot serve metrics on 192\./,
    ),
  ]);
});
