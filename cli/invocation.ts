import { relative, resolve } from 'node:path';
import { shellWord } from '../contracts/shell-word.ts';

/** How the user calls the program, so that the commands we suggest can be copied. */
export interface Invocation {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

/** The beginning of a command line: `npx toolsample`, `toolsample` or `node bin/toolsample.js`. */
function programName({ argv, env, workingDirectory }: Invocation): string {
  if (env['npm_lifecycle_event'] !== undefined) return 'npx toolsample';
  const script = argv[1] ?? '';
  return script.endsWith('.js')
    ? `node ${shellWord(relative(workingDirectory, script) || script)}`
    : 'toolsample';
}

/** A command to suggest, with the data folder where it is not the default one. */
export function suggestion(invocation: Invocation, home: string, command: string): string {
  const usual = resolve(
    invocation.workingDirectory,
    invocation.env['TOOLSAMPLE_HOME'] ?? '.toolsample',
  );
  const where = usual === home ? '' : ` --home ${shellWord(home)}`;
  return `${programName(invocation)} ${command}${where}`;
}

/** This process's own. */
export function ownInvocation(): Invocation {
  return { argv: process.argv, env: process.env, workingDirectory: process.cwd() };
}
