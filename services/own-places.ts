import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** Where the policy of a finished run lies in a data folder. */
export function policyPlace(home: string, run: string): string {
  return join(home, 'runs', folderName(run), 'policy');
}

/** Where the results of an evaluation on BFCL lie in a data folder. */
export function resultsPlace(home: string, evaluation: string): string {
  return join(home, 'evaluations', folderName(evaluation));
}

/** A run's id is anyone's choice; as the name of a folder it must not lead out of ours. */
export function folderName(run: string): string {
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(run)) return run;
  const readable = run.replaceAll(/[^\w-]+/g, '-').slice(0, 60);
  return `${readable}~${createHash('sha256').update(run).digest('hex').slice(0, 12)}`;
}

/**
 * Where a folder is that was stored by its absolute path: `place` if it has that place in some data folder and lies there in this one,
 * which was moved or copied since; else where it was, be it on another machine.
 *
 * @param since - What lies at `place` and was written before is not what was stored: an older one of ours, where a worker of another
 *   machine wrote the newer one.
 */
export async function presentPlace(
  stored: string,
  home: string,
  place: string,
  since: () => Promise<Date | null> = async () => null,
): Promise<string> {
  if (stored === place || !stored.endsWith(join('/', relative(home, place)))) return stored;
  const found = await stat(place).catch(() => null);
  if (found?.isDirectory() !== true) return stored;
  const earliest = await since();
  return earliest === null || found.mtime >= earliest ? place : stored;
}
