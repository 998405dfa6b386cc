import { Command } from 'commander';
import { reportFailure, type ExitCode } from './failure.ts';
import { defineCommands } from './program.ts';
import { processTerminal } from './terminal.ts';

/**
 * Runs one command line.
 * @param argv - Arguments after the program's name.
 * @returns the exit code; never throws.
 */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const terminal = processTerminal(process.env);
  try {
    let code: ExitCode = 0;
    const program = new Command('toolsample');
    const args = await defineCommands(program, argv, terminal, (result) => {
      code = result;
    });
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    return await reportFailure(error, terminal);
  }
}
