import { describe, expect, it } from 'vitest';
import { fork } from '../../cli/commands/fork.ts';
import { processTerminal } from '../../cli/terminal.ts';
import { requireNameOfRun } from '../../client/unprepared-runs.ts';
import { requireNewName } from '../../services/new-name.ts';

const FORMLESS = ['', 'a b', '.', '..', 'r1@0', 'é', '/x', '-x', 'a\n', "a'b", 'x'.repeat(81)];

describe('the name of something new', () => {
  it.each(['r1', 'night.dscl.1', '2026_11-24', 'latest-2', 'x'.repeat(80)])('may be %s', (name) => {
    expect(() => requireNewName('run', name)).not.toThrow();
  });

  it.each([...FORMLESS, 'x'.repeat(1100)])('is not %j', (name) => {
    expect(() => requireNewName('evaluation', name)).toThrow(
      /^".{0,60}.? is no name for an evaluation — use up to 80 letters, digits, dots, /,
    );
  });

  it.each([
    ['latest', 'the newest run'],
    ['builtin', 'the shipped policy'],
  ])('is not %s, which means something else', (name, meaning) => {
    expect(() => requireNewName('run', name)).toThrow(
      `"${name}" is no name for a run: it stands for ${meaning} — choose another name`,
    );
  });
});

const waiting = async () => [{ run: 'a b', config: {} }];

describe('a run that waits for a worker', () => {
  it('keeps an id that is no name', async () => {
    await expect(requireNameOfRun('a b', waiting)).resolves.toBeUndefined();
    await expect(requireNameOfRun('a c', waiting)).rejects.toMatchObject({ exitCode: 2 });
  });
});

it('a fork is refused before anything is started', async () => {
  const context = { terminal: processTerminal({}), home: '/nowhere/at/all', json: false };
  const flags = { step: 1, set: [], name: 'r1@0' };
  await expect(fork(context, 'r1', flags)).rejects.toThrow('"r1@0" is no name for a run');
});
