import { trainableOptions } from '../activities/engine-options.ts';
import type { ArtifactReader } from '../contracts/artifacts.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { ExportOptions } from '../contracts/export.ts';
import { shellQuery, shellWord } from '../contracts/shell-word.ts';
import { bestPolicyOf } from '../db/best-policy.ts';
import { committedStep, newestPolicy, type PolicyPoint } from '../db/checkpoints.ts';
import type { Database } from '../db/connection.ts';
import { readRun, type RunRow } from '../db/runs.ts';
import { policyFiles, type LoadablePolicy } from '../policy/engine/policy-files.ts';

/**
 * A policy of a run, whatever the run's state, to be loaded from the artifacts themselves while they are being read.
 *
 * @param epoch as {@link ExportOptions} has it
 * @throws ToolsampleError `not-found` when there is no such run or it has not come to that epoch, `config` when it never will;
 *   `corrupt-artifact`
 */
export async function runPolicy(
  { db, artifacts }: { readonly db: Database; readonly artifacts: ArtifactReader },
  run: string,
  epoch: ExportOptions['epoch'],
): Promise<LoadablePolicy> {
  const row = await readRun(db, run);
  const { policy: files } = await openPoint(db, row, epoch, async ({ policy }) =>
    policyFiles(policy, artifacts, 'weights'),
  );
  return { files, trainable: trainableOptions(row.config) };
}

/**
 * Opens the policy of an epoch. A run under way may delete one before it is open: then a newer one has taken its place. */
export async function openPoint<T>(
  db: Database,
  run: RunRow,
  epoch: ExportOptions['epoch'],
  open: (point: PolicyPoint) => Promise<T>,
): Promise<{ readonly point: PolicyPoint; readonly policy: T }> {
  let point = await pointOf(db, run, epoch);
  for (;;) {
    try {
      return { point, policy: await open(point) };
    } catch (error) {
      const now = await pointOf(db, run, epoch);
      if (now.step === point.step && now.slice === point.slice) throw error;
      point = now;
    }
  }
}

/** The newest policy up to an epoch's end, or the best. @throws ToolsampleError `not-found`, `config` as {@link runPolicy} */
export async function pointOf(
  db: Database,
  { run, config, epochs, stepsPerEpoch, totalSteps }: RunRow,
  epoch: ExportOptions['epoch'],
): Promise<PolicyPoint> {
  if (config.backend === 'tinker') {
    throw new ToolsampleError('config', `run ${run} trained at a service: its weights are there`, {
      hint: 'when it ends, runs/RUN/policy of the data folder names them in tinker.json, beside the adapters where the service hands them out',
    });
  }
  if (epoch === 'best') return bestPolicyOf(db, run);
  if (epoch !== undefined && epoch > epochs) {
    const planned = epochs === 1 ? '1 epoch' : `${epochs} epochs`;
    throw new ToolsampleError('config', `run ${run} has ${planned}, no epoch ${epoch}`, {
      hint: `write ${shellWord(`${run}@${epochs}`)} for the last one, ${shellWord(`${run}@0`)} for the policy before the first step`,
    });
  }
  const upTo = epoch === undefined ? undefined : Math.min(epoch * stepsPerEpoch, totalSteps);
  const point = await newestPolicy(db, run, upTo);
  if (point === null) throw new Error(`run ${run} was prepared without a policy`);
  const step = await committedStep(db, run);
  const reached = Math.ceil(step / stepsPerEpoch);
  if (epoch !== undefined && epoch > reached) {
    throw new ToolsampleError(
      'not-found',
      `run ${run} has not come to epoch ${epoch}: it is after step ${step}, in epoch ${reached}`,
      {
        hint: `write ${shellWord(`${run}@${reached}`)}, or go on with it: toolsample resume ${shellWord(run)}`,
      },
    );
  }
  if (upTo !== undefined && step >= upTo && point.step < upTo) {
    throw new ToolsampleError(
      'not-found',
      `the policy after epoch ${epoch} of run ${run} was deleted to save space (save_epochs)`,
      {
        hint: `\`toolsample sql ${shellQuery('select step from checkpoints where run = ', run, ' and not pruned')}\` lists what is kept`,
      },
    );
  }
  return point;
}
