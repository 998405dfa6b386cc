import { CommanderError } from 'commander';
import { DrizzleQueryError } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { reportFailure } from '../../cli/failure.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { processTerminal } from '../../cli/terminal.ts';

/** What `reportFailure` prints, without colours. */
async function told(error: unknown): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const terminal = {
    ...processTerminal({ NO_COLOR: '1' }),
    note: (line: string) => lines.push(line),
  };
  const code = await reportFailure(error, terminal);
  return { code, lines };
}

describe('a server that goes away', () => {
  it.each([
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('terminating connection'), { code: '57P01' }),
    new Error('Client has encountered a connection error and is not queryable'),
    new Error('Connection terminated unexpectedly'),
  ])('is told in one line that says how to go on: %s', async (cause) => {
    const { code, lines } = await told(new Error('Failed query: select 1', { cause }));
    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('toolsample resume latest');
  });

  it('is not what every other error is taken for', async () => {
    const { code, lines } = await told(new Error('a mistake of ours'));
    expect(code).toBe(1);
    expect(lines[0]).toContain('unexpected: a mistake of ours');
    expect(lines.join('\n')).toContain('Logs:');
  });
});

it('shows nothing of the parameters of a query that failed', async () => {
  const cause = new Error('relation "runs" does not exist');
  const { code, lines } = await told(
    new DrizzleQueryError('select $1', ['a whole\nprompt'], cause),
  );
  expect(code).toBe(1);
  expect(lines[0]).toContain('unexpected: relation "runs" does not exist');
  expect(lines[1]).toContain('cli-failure.test.ts');
  expect(lines.join('\n')).not.toMatch(/whole|prompt|select/);
});

it.each([
  new ToolsampleError('dataset', 'has no \u001b[2J', { at: { field: '\u001b]0;x\u0007' } }),
  new CommanderError(1, 'commander.unknownOption', 'error: \u001b[2J\u001b]0;x\u0007'),
  new Error('\u001b[2J\u001b]0;x\u0007'),
])('shows control characters of what it repeats as their codes: %#', async (error) => {
  const text = (await told(error)).lines.join('\n');
  expect(text).toContain('\\x1b[2J');
  expect(text).toContain('\\x1b]0;x\\x07');
  expect(text).not.toContain('\u001b');
});
