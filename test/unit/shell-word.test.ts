import { expect, it } from 'vitest';
import { findRunId } from '../../cli/run-reference.ts';
import { nextCommands } from '../../cli/render/outcome.ts';
import { shellWord } from '../../contracts/shell-word.ts';

it.each([
  ['r1', 'r1'],
  ['r1@0', 'r1@0'],
  ['', "''"],
  ['a b', "'a b'"],
  ["it's", String.raw`'it'\''s'`],
  ['$(x)', "'$(x)'"],
])('%s is the word %s', (text, word) => {
  expect(shellWord(text)).toBe(word);
});

const commands = (run: string) => nextCommands({ run, step: 3 });

it('suggests commands that name a run whatever its id', () => {
  expect(commands('r1').slice(1, 3)).toEqual([
    'rollouts r1 --step 3',
    `sql "select * from learning_curve where run = 'r1' order by step"`,
  ]);
  expect(commands("a 'b").slice(1, 3)).toEqual([
    String.raw`rollouts 'a '\''b' --step 3`,
    `sql "select * from learning_curve where run = 'a ''b' order by step"`,
  ]);
  expect(commands('$x')[2]).toBe(
    String.raw`sql 'select * from learning_curve where run = '\''$x'\'' order by step'`,
  );
});

it('lists ids such that they can be copied', () => {
  expect(() => findRunId('a', ['a b', 'ac'])).toThrow("write more of the id: 'a b', ac");
});
