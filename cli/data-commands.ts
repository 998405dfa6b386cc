import { InvalidArgumentError, type Command } from 'commander';
import { wholeNumber } from './argument-values.ts';
import type { Terminal } from './terminal.ts';

interface DataFlags {
  readonly json?: boolean;
  readonly maxBadRows: number;
}

/** Declares `toolsample data …`: commands on files, which need neither a data folder nor a server. */
export function defineDataCommands(program: Command, group: string, terminal: Terminal): void {
  const data = program
    .command('data')
    .description('look at files of samples, convert and split them (see docs/data.md)')
    .helpGroup(group);
  const command = (usage: string, description: string): Command =>
    data.command(usage).description(description).option('--json', 'print JSON (see docs/data.md)');
  const writing = (usage: string, description: string): Command =>
    command(usage, description).option(
      '--max-bad-rows <n>',
      'unusable rows that are left out; one more, and nothing is written',
      wholeNumber,
      0,
    );

  command('inspect <file>', 'say what a file holds: format, lengths, calls, tools, bad rows')
    .option('--policy <policy>', 'a Hugging Face folder or `builtin`: lengths in its tokens, too')
    .action(async (file: string, options: { json?: boolean; policy?: string }) => {
      const { inspect } = await import('./commands/data.ts');
      await inspect({ terminal, json: options.json ?? false }, file, options.policy);
    });
  writing('convert <in> <out>', 'write the samples as OpenAI JSON lines, one a line').action(
    async (from: string, to: string, options: DataFlags) => {
      const { rewrite } = await import('./commands/data.ts');
      const { json = false, maxBadRows } = options;
      await rewrite({ terminal, json }, from, to, { maxBadRows, dedupe: false });
    },
  );
  writing('dedupe <in> <out>', 'the same without samples that equal an earlier one').action(
    async (from: string, to: string, options: DataFlags) => {
      const { rewrite } = await import('./commands/data.ts');
      const { json = false, maxBadRows } = options;
      await rewrite({ terminal, json }, from, to, { maxBadRows, dedupe: true });
    },
  );
  writing(
    'split <in> <train> <held-out>',
    'split by tools: none that is held out is shown in training',
  )
    .option('--share <number>', 'share of the samples that training may lose', share, 0.1)
    .option('--seed <n>', 'seed of the choice of tools', wholeNumber, 0)
    .action(
      async (
        from: string,
        train: string,
        heldOut: string,
        options: DataFlags & { share: number; seed: number },
      ) => {
        const { split } = await import('./commands/data.ts');
        const { json = false, ...others } = options;
        await split({ terminal, json }, from, { ...others, train, heldOut });
      },
    );
}

function share(text: string): number {
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || value <= 0 || value >= 1)
    throw new InvalidArgumentError('Give a number between 0 and 1, such as 0.1.');
  return value;
}
