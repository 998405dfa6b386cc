import { resolve } from 'node:path';
import { trainableOptions } from '../activities/engine-options.ts';
import type { ArtifactReader, ArtifactStore } from '../contracts/artifacts.ts';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { ExportedPolicy, ExportOptions } from '../contracts/export.ts';
import type { Database } from '../db/connection.ts';
import { readRun } from '../db/runs.ts';
import { BUILTIN_POLICY } from '../policy/checkpoint/builtin-policy.ts';
import { openStoredPolicy } from '../policy/checkpoint/stored-policy.ts';
import { writeAdapterFolder } from '../policy/checkpoint/write-adapter.ts';
import { writePolicyFolder } from '../policy/checkpoint/write-folder.ts';
import { openPoint } from './run-policy.ts';
import { createFolder } from '../services/new-folder.ts';

/**
 * Writes a policy of a run, whatever the run's state, as a folder that appears whole or not at all. Needs no worker.
 *
 * @throws ToolsampleError `not-found` when there is no such run or it has not come to that epoch, `config` when it never will,
 *   has no adapters, trained at a service, or the folder is taken; `disk-full`, `corrupt-artifact`
 */
export async function exportRun(
  { db, artifacts }: { readonly db: Database; readonly artifacts: ArtifactStore },
  run: string,
  options: ExportOptions,
): Promise<ExportedPolicy> {
  const { epoch, format = 'hf', dtype = 'float32' } = options;
  const folder = resolve(options.folder);
  const row = await readRun(db, run);
  const { trainMode, loraRank, loraAlpha } = row.config;
  if (format === 'peft' && trainMode !== 'lora') {
    throw new ToolsampleError('config', `run ${run} trained all weights: it has no adapters`, {
      hint: 'leave out --format peft; --train-mode lora trains adapters',
    });
  }
  const stored = dtype === 'float32' ? 'F32' : 'BF16';
  const write = async (unfinished: string, reader: ArtifactReader) => {
    const { point, policy } = await openPoint(db, row, epoch, ({ policy }) =>
      openStoredPolicy(policy, trainableOptions(row.config), reader),
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

/** Where PEFT finds the policy that adapters belong to; null for random weights, which lie in no folder. */
function baseFolder({ policy }: RunConfig): string | null {
  if (policy === 'random') return null;
  return policy === 'builtin' ? BUILTIN_POLICY : policy;
}
