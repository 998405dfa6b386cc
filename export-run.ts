import { resolve } from 'node:path';
import type { ArtifactReader, ArtifactStore } from './contracts/artifacts.ts';
import type { RunConfig } from './contracts/config.ts';
import { ToolsampleError } from './contracts/errors.ts';
import type { ExportedPolicy, ExportOptions } from './contracts/export.ts';
import { bestPolicy, committedStep, newestPolicy, type PolicyPoint } from './db/checkpoints.ts';
import type { Database } from './db/connection.ts';
import { readRun, type RunRow } from './db/runs.ts';
import { BUILTIN_POLICY } from './policy/checkpoint/builtin-policy.ts';
import { openStoredPolicy, type StoredPolicy } from './policy/checkpoint/stored-policy.ts';
import { writeAdapterFolder } from './policy/checkpoint/write-adapter.ts';
import { writePolicyFolder } from './policy/checkpoint/write-folder.ts';
import { createFolder } from './services/new-folder.ts';

/**
 * Writes a policy of a run, whatever the run's state, as a folder that appears whole or not at all. Needs no worker.
 *
 * @throws ToolsampleError `not-found` when there is no such run or it has not come to that epoch, `config` when it never will,
 *   has no adapters, or the folder is taken; `disk-full`, `corrupt-artifact`
 */
export async function exportRun(
  { db, artifacts }: { readonly db: Database; readonly artifacts: ArtifactStore },
  run: string,
  options: ExportOptions,
): Promise<ExportedPolicy> {
  const { epoch, format = 'hf', dtype = 'float32' } = options;
  const folder = resolve(options.folder);
  const row = await readRun(db, run);
  const { trainMode, loraRank, loraAlpha, seed } = row.config;
  if (format === 'peft' && trainMode !== 'lora') {
    throw new ToolsampleError('config', `run ${run} trained all weights: it has no adapters`, {
      hint: 'leave out --format peft; --train-mode lora trains adapters',
    });
  }
  const stored = dtype === 'float32' ? 'F32' : 'BF16';
  const write = async (unfinished: string, reader: ArtifactReader) => {
    const { point, policy } = await openPoint(db, row, epoch, ({ policy }) =>
      openStoredPolicy(policy, { mode: trainMode, loraRank, loraAlpha, seed }, reader),
    );
    try {
      const { files, traits, adapters: tensors } = policy;
      const fetch = async (name: string) => policy.read(name);
      if (format === 'hf' || tensors === null) {
        return { point, ...(await writePolicyFolder(unfinished, files, traits, fetch, stored)) };
      }
      const basePolicy = baseFolder(row.config);
      const adapter = { rank: loraRank, alpha: loraAlpha, tensors, basePolicy };
      return { point, ...(await writeAdapterFolder(unfinished, files, adapter, stored)) };
    } finally {
      await policy.close();
    }
  };
  const { point, sha256 } = await createFolder(folder, async (unfinished) =>
    artifacts.reading(async (reader) => write(unfinished, reader)),
  );
  const { step, slice } = point;
  const epochFinished =
    step === 0
      ? slice === row.warmStartSlices
      : step % row.stepsPerEpoch === 0 || step === row.totalSteps;
  return {
    run,
    folder,
    policySha256: sha256,
    epoch: Math.ceil(step / row.stepsPerEpoch),
    step,
    epochFinished,
    format,
    dtype,
  };
}

/** Opens the policy of an epoch. A run under way may delete one before it is open: then a newer one has taken its place. */
async function openPoint(
  db: Database,
  run: RunRow,
  epoch: ExportOptions['epoch'],
  open: (point: PolicyPoint) => Promise<StoredPolicy>,
): Promise<{ readonly point: PolicyPoint; readonly policy: StoredPolicy }> {
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

/** The newest policy up to an epoch's end, or the best. @throws ToolsampleError `not-found`, `config` as {@link exportRun} */
async function pointOf(
  db: Database,
  { run, epochs, stepsPerEpoch, totalSteps }: RunRow,
  epoch: ExportOptions['epoch'],
): Promise<PolicyPoint> {
  if (epoch === 'best') {
    const best = await bestPolicy(db, run);
    if (best !== null) return best;
    throw new ToolsampleError('not-found', `run ${run} has no evaluated policy after a step yet`, {
      hint: `write ${run} for the newest`,
    });
  }
  if (epoch !== undefined && epoch > epochs) {
    throw new ToolsampleError('config', `run ${run} has ${epochs} epochs, no epoch ${epoch}`, {
      hint: `write ${run}@${epochs} for the last one, ${run}@0 for the policy before the first step`,
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
      { hint: `write ${run}@${reached}, or go on with it: toolsample resume ${run}` },
    );
  }
  if (upTo !== undefined && step >= upTo && point.step < upTo) {
    throw new ToolsampleError(
      'not-found',
      `the policy after epoch ${epoch} of run ${run} was deleted to save space (save_epochs)`,
      {
        hint: `\`toolsample sql "select step from checkpoints where run = '${run}' and not pruned"\` lists what is kept`,
      },
    );
  }
  return point;
}

/** Where PEFT finds the policy that adapters belong to; null for random weights, which lie in no folder. */
function baseFolder({ policy }: RunConfig): string | null {
  if (policy === 'random') return null;
  return policy === 'builtin' ? BUILTIN_POLICY : policy;
}
