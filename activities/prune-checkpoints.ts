import { lockArtifactReferences } from '../db/artifact-references.ts';
import { markPruned, prunableCheckpoints, type Retention } from '../db/checkpoints.ts';
import { readRun } from '../db/runs.ts';
import type { ActivityDependencies } from './dependencies.ts';

/**
 * Deletes the weights and optimiser states that no resume needs (`saveTotalLimit`, `saveBest`, `saveEpochs`). Never the policy
 * a run stands on or began with, or what another run's checkpoint shares. Safe to be killed: what is left over is found next time.
 */
export async function pruneCheckpoints(
  { db, artifacts }: Pick<ActivityDependencies, 'db' | 'artifacts'>,
  run: string,
): Promise<void> {
  const { config, stepsPerEpoch } = await readRun(db, run);
  const retention: Retention = {
    newest: config.saveTotalLimit,
    best: config.saveBest,
    epochs: config.saveEpochs,
    stepsPerEpoch,
  };
  if ((await prunableCheckpoints(db, run, retention)).length === 0) return;
  await db.transaction(async (tx) => {
    // Nobody begins to share in between.
    await lockArtifactReferences(tx);
    for (const checkpoint of await prunableCheckpoints(tx, run, retention)) {
      for (const sha256 of checkpoint.artifacts) await artifacts.delete(sha256);
      await markPruned(tx, checkpoint);
    }
  });
}
