import { CommanderError } from 'commander';
import { errorFrames, errorReport } from '../contracts/error-text.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { isLostConnection } from '../services/lost-connection.ts';
import { printable } from './render/text.ts';
import type { Terminal } from './terminal.ts';

/** Exit codes: 0 done, 1 the machine or a server failed, 2 the user has to change something. */
export type ExitCode = 0 | 1 | 2;

/**
 * Tells an error in one line and gives the exit code. Only what nobody foresaw shows where it happened, because that is
 * what a bug report needs.
 */
export async function reportFailure(error: unknown, terminal: Terminal): Promise<ExitCode> {
  const fail = terminal.paint.red('error:');
  if (error instanceof ToolsampleError) {
    terminal.note(`${fail} ${oneLine(error.message)}`);
    return error.exitCode;
  }
  if (error instanceof CommanderError) {
    // Help and version end commander the same way as an error does.
    if (error.exitCode === 0) return 0;
    // No command given: the help that was printed says all.
    if (error.code === 'commander.help') return 2;
    terminal.note(`${fail} ${oneLine(error.message.replace(/^error: /, ''))}`);
    return 2;
  }
  if (isLostConnection(error)) {
    terminal.note(
      `${fail} Postgres or Temporal no longer answers — \`toolsample resume latest\` starts what is down and goes on`,
    );
    return 1;
  }
  const { message } = errorReport(error);
  terminal.note(`${fail} unexpected: ${printable(message)}`);
  const frames = errorFrames(error);
  if (frames.length > 0) terminal.note(terminal.paint.dim(printable(frames.join('\n'))));
  // Loaded only here: `--help` must not wait for it.
  const { homePath } = await import('../services/data-folder.ts');
  terminal.note(
    `Logs: ${homePath()}/logs (or those of --home). \`toolsample doctor\` checks the machine.`,
  );
  return 1;
}

/** Messages repeat what data files and servers hold. */
function oneLine(text: string): string {
  return printable(
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .join(' '),
  );
}
