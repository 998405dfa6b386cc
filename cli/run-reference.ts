import { ToolsampleError } from '../contracts/errors.ts';
import { shellWord } from '../contracts/shell-word.ts';

/**
 * The run that a user means: a whole id, a prefix that only one run has, or `latest`.
 * @param runs - All ids, newest first.
 * @throws ToolsampleError `not-found`.
 */
export function findRunId(reference: string, runs: readonly string[]): string {
  if (runs.includes(reference)) return reference;
  const [newest] = runs;
  if (newest === undefined) {
    throw new ToolsampleError('not-found', 'there are no runs in this data folder', {
      hint: 'start one with `toolsample train`, or name the folder with --home',
    });
  }
  if (reference === 'latest') return newest;
  const matching = runs.filter((run) => run.startsWith(reference));
  const [only] = matching;
  if (only === undefined || reference === '') {
    throw new ToolsampleError('not-found', `there is no run "${reference}"`, {
      hint: `\`toolsample runs\` lists them; the newest is ${shellWord(newest)}`,
    });
  }
  if (matching.length > 1) {
    throw new ToolsampleError('not-found', `"${reference}" could be ${matching.length} runs`, {
      hint: `write more of the id: ${matching.slice(0, 4).map(shellWord).join(', ')}${matching.length > 4 ? ', …' : ''}`,
    });
  }
  return only;
}

/** A run, and an epoch of it where one is named. */
export interface RunAtEpoch {
  readonly run: string;
  readonly epoch: number | 'best' | undefined;
}

/**
 * The run and the epoch that a user means by `RUN`, `RUN@EPOCH` or `RUN@best`. A run's id may have an @ in it.
 * @param runs - All ids, newest first.
 * @throws ToolsampleError `not-found`, `config` for an epoch that is neither a number nor `best`.
 */
export function findRunAtEpoch(reference: string, runs: readonly string[]): RunAtEpoch {
  const at = reference.lastIndexOf('@');
  if (at < 0 || runs.some((run) => run.startsWith(reference))) {
    return { run: findRunId(reference, runs), epoch: undefined };
  }
  const [before, epoch] = [reference.slice(0, at), reference.slice(at + 1)];
  if (epoch === 'best') return { run: findRunId(before, runs), epoch };
  if (!/^\d{1,9}$/.test(epoch)) {
    throw new ToolsampleError('config', `"${epoch}" is not an epoch`, {
      hint: `epochs are numbers: ${shellWord(`${before}@1`)} is the first, @0 before it; ${shellWord(`${before}@best`)} is the best evaluated`,
    });
  }
  return { run: findRunId(before, runs), epoch: Number(epoch) };
}
