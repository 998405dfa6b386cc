import { ToolsampleError } from '../contracts/errors.ts';
import { shown } from '../contracts/shown-value.ts';

/** What users give names to. */
export type Named = 'run' | 'experiment' | 'evaluation';

/** It becomes part of ids, of folders' names and of commands, and must not be read as RUN@EPOCH. */
const NAME = /^[A-Za-z0-9][\w.-]{0,79}$/;

/** Words that mean something else where a run is named. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ['latest', 'the newest run'],
  ['builtin', 'the shipped policy'],
]);

/** Whether a text has the form of a name; what was made before names were checked may have another one. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Refuses what has not the form of a name. @throws ToolsampleError `config` */
export function requireName(kind: Named, text: string): void {
  if (isName(text)) return;
  throw new ToolsampleError('config', `${shown(text)} is no name for ${withArticle(kind)}`, {
    hint: 'use up to 80 letters, digits, dots, dashes and underscores, first a letter or a digit',
  });
}

/** Refuses what nothing new can be called; what there is already keeps its id. @throws ToolsampleError `config` */
export function requireNewName(kind: Named, text: string): void {
  requireName(kind, text);
  const meaning = RESERVED.get(text);
  if (meaning === undefined) return;
  throw new ToolsampleError(
    'config',
    `"${text}" is no name for ${withArticle(kind)}: it stands for ${meaning}`,
    { hint: 'choose another name' },
  );
}

function withArticle(kind: Named): string {
  return kind === 'run' ? 'a run' : `an ${kind}`;
}
