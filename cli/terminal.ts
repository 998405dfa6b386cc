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
  /** From now on a reader that goes away takes nothing but the output with it. */
  readonly outliveReader: () => void;
}

/**
 * The process's own terminal. Colours follow NO_COLOR and FORCE_COLOR; without a terminal, in CI, or with TERM=dumb,
 * nothing is redrawn. A reader that goes away (`| head`) ends the process quietly, unless it is to outlive that.
 */
export function processTerminal(env: Readonly<Record<string, string | undefined>>): Terminal {
  const { stdout, stderr } = process;
  const gone = new Set<NodeJS.WriteStream>();
  const write = (stream: NodeJS.WriteStream, line: string): void => {
    if (!gone.has(stream)) stream.write(`${line}\n`);
  };
  let outlives = false;
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!outlives) process.exit(error.code === 'EPIPE' ? 0 : 1);
      if (gone.has(stream)) return;
      gone.add(stream);
      // Else somebody at the terminal would wait for the command to end.
      if (stream === stdout) write(stderr, 'nobody reads the output any more; the work goes on');
    });
  }
  const dumb = set(env['CI']) || env['TERM'] === 'dumb';
  const live = stdout.isTTY && !dumb;
  const colour = set(env['FORCE_COLOR']) || (live && !set(env['NO_COLOR']));
  return {
    print: (line) => write(stdout, line),
    note: (line) => write(stderr, line),
    paint: painter(colour),
    live,
    width: () => Math.max(20, stdout.columns || 80),
    outliveReader: () => {
      outlives = true;
    },
  };
}

/** NO_COLOR and its kin count when they are not empty. */
function set(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}
