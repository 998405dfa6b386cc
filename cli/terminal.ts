import { painter, type Paint } from './render/text.ts';

/** Where a command prints, and what that place can show. */
export interface Terminal {
  /** Results, one line. */
  readonly print: (line: string) => void;
  /** What goes on beside the result: progress, warnings, errors. */
  readonly note: (line: string) => void;
  readonly paint: Paint;
  /** Lines can be redrawn: a terminal, and not CI. */
  readonly live: boolean;
  readonly width: () => number;
}

/**
 * The process's own terminal. Colours follow NO_COLOR and FORCE_COLOR; without a terminal, in CI, or with TERM=dumb,
 * nothing is redrawn. A reader that goes away (`| head`) ends the process quietly.
 */
export function processTerminal(env: Readonly<Record<string, string | undefined>>): Terminal {
  const { stdout, stderr } = process;
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? 0 : 1);
    });
  }
  const dumb = set(env['CI']) || env['TERM'] === 'dumb';
  const live = stdout.isTTY && !dumb;
  const colour = set(env['FORCE_COLOR']) || (live && !set(env['NO_COLOR']));
  return {
    print: (line) => stdout.write(`${line}\n`),
    note: (line) => stderr.write(`${line}\n`),
    paint: painter(colour),
    live,
    width: () => Math.max(20, stdout.columns || 80),
  };
}

/** NO_COLOR and its kin count when they are not empty. */
function set(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}
