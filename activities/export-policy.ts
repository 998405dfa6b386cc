import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExportKey, ExportSummary } from '../contracts/activities.ts';
import { policyAfter } from '../db/checkpoints.ts';
import { commitExport, readExport } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { trainableOptions } from './engine-options.ts';
import { engineCall } from './heartbeat.ts';

/**
 * Writes the policy of a step as a Hugging Face folder, `<home>/runs/<run>/policy`, and completes the run, unless it was only
 * stopped. The folder appears whole or not at all.
 */
export async function exportPolicy(
  deps: ActivityDependencies,
  key: ExportKey,
): Promise<ExportSummary> {
  const { db } = deps;
  const committed = await readExport(db, key.run);
  if (committed !== null) {
    return { policySha256: committed.sha256, folder: committed.folder };
  }
  const { config } = await readRunAt(db, key.run, key.step);
  const policy = await policyAfter(db, key.run, key.step);

  const folder = join(deps.dataFolder, 'runs', folderName(key.run), 'policy');
  const unfinished = `${folder}.partial`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const engine = await deps.engine(config);
  const { sha256 } = await engineCall(() =>
    engine.export(policy, trainableOptions(config), unfinished),
  );
  await closeToOthers(unfinished);
  // A folder that stands there already is of an attempt that died before its commit, or of a stop at an earlier step.
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
  await commitExport(db, key, { sha256, folder });
  return { policySha256: sha256, folder };
}

/** As all of the data folder: for its owner alone, whatever the umask. */
async function closeToOthers(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const name of await readdir(folder)) await chmod(join(folder, name), 0o600);
}

/** A run's id is anyone's choice; as the name of a folder it must not lead out of ours. */
export function folderName(run: string): string {
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(run)) return run;
  const readable = run.replaceAll(/[^\w-]+/g, '-').slice(0, 60);
  return `${readable}~${createHash('sha256').update(run).digest('hex').slice(0, 12)}`;
}
