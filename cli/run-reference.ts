import { ToolsampleError } from '../contracts/errors.ts';

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
      hint: `\`toolsample runs\` lists them; the newest is ${newest}`,
    });
  }
  if (matching.length > 1) {
    throw new ToolsampleError('not-found', `"${reference}" could be ${matching.length} runs`, {
      hint: `write more of the id: ${matching.slice(0, 4).join(', ')}${matching.length > 4 ? ', …' : ''}`,
    });
  }
  return only;
}
