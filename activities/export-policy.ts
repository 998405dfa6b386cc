import { isDeepStrictEqual } from 'node:util';
import type { ExportKey, ExportSummary } from '../contracts/activities.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { PolicyRef } from '../contracts/policy.ts';
import { newestPolicy, policyAfter } from '../db/checkpoints.ts';
import type { Database } from '../db/connection.ts';
import { commitExport, lockRun, readExport, type ExportedPolicy } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { policyPlace } from '../services/own-places.ts';
import { flushFolder, replaceFolder, withUnfinishedFolder } from '../services/replaced-folder.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { trainableOptions } from './engine-options.ts';
import { engineCall, requireUncancelled } from './heartbeat.ts';

/**
 * Writes the policy of a step as a Hugging Face folder, `<home>/runs/<run>/policy`, and completes the run, unless it was only
 * stopped. The folder appears whole or not at all, and together with the row that tells of it: an attempt that comes late leaves what
 * the run has come to since.
 *
 * @throws ToolsampleError `refused` when the run has gone on since
 */
export async function exportPolicy(
  deps: ActivityDependencies,
  key: ExportKey,
): Promise<ExportSummary> {
  const { db, dataFolder } = deps;
  const committed = await readExport(db, key.run);
  if (committed !== null) return summary(committed);
  const { config } = await readRunAt(db, key.run, key.step);
  const policy = await policyAfter(db, key.run, key.step);

  const folder = policyPlace(dataFolder, key.run);
  const engine = await deps.engine(config);
  return withUnfinishedFolder(folder, async (unfinished) => {
    const { sha256 } = await engineCall(() =>
      engine.export(policy, trainableOptions(config), unfinished),
    );
    await flushFolder(unfinished);
    return db.transaction(async (tx) => {
      await lockRun(tx, key.run);
      const completed = await readExport(tx, key.run);
      if (completed !== null) return summary(completed);
      await requireNewest(tx, key, policy);
      requireUncancelled();
      // What stands there already is of an attempt that died before its commit, or of a stop at an earlier step.
      await replaceFolder(unfinished, folder);
      await commitExport(tx, key, { sha256, folder });
      return { policySha256: sha256, folder };
    });
  });
}

/** An attempt may have been frozen for long. */
async function requireNewest(
  tx: Database,
  { run, step }: ExportKey,
  policy: PolicyRef,
): Promise<void> {
  const newest = await newestPolicy(tx, run);
  if (newest?.step === step && isDeepStrictEqual(newest.policy, policy)) return;
  throw new ToolsampleError(
    'refused',
    `run "${run}" has gone on since its policy after step ${step} was to be exported`,
    { hint: 'stop it once more, or export an epoch: toolsample export RUN@EPOCH' },
  );
}

function summary({ sha256, folder }: ExportedPolicy): ExportSummary {
  return { policySha256: sha256, folder };
}
