import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { ExportOptions } from '../contracts/export.ts';
import { BUILTIN_POLICY } from '../policy/checkpoint/builtin-policy.ts';
import { folderPolicy, type LoadablePolicy } from '../policy/engine/policy-files.ts';
import { openRuns } from '../run-reader.ts';
import { findDataFolder } from '../services/data-folder.ts';

/** A policy and what it is called. */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: LoadablePolicy;
}

export interface OpenPolicyOptions {
  /** The data folder's absolute path. */
  readonly home: string;
  /** Receives what a user should know while Postgres starts. */
  readonly log: (message: string) => void;
  /** The run and the epoch that a reference means, of all ids, newest first. */
  readonly findRun: (
    reference: string,
    runs: readonly string[],
  ) => { readonly run: string; readonly epoch: ExportOptions['epoch'] };
}

/**
 * The policy that a user means by `builtin`, a Hugging Face folder, or `RUN[@EPOCH]`; undefined: that of the newest completed run
 * of the data folder, else the shipped one. A folder wins over a run of that name.
 *
 * @throws ToolsampleError `not-found`, `config`, `checkpoint`
 */
export async function openPolicy(
  reference: string | undefined,
  options: OpenPolicyOptions,
): Promise<NamedPolicy> {
  if (reference === undefined) return (await newestPolicy(options)) ?? shippedPolicy();
  if (reference === 'builtin') return shippedPolicy();
  if (existsSync(reference) || /[/\\]/.test(reference)) {
    const name = basename(resolve(reference));
    return { name, policy: await folderPolicy(reference) };
  }
  const reader = await openRuns(options);
  try {
    const ids = (await reader.runs()).map(({ run }) => run);
    const { run, epoch } = options.findRun(reference, ids);
    const name = epoch === undefined ? run : `${run}@${epoch}`;
    return { name, policy: await reader.policy(run, epoch) };
  } finally {
    await reader.close();
  }
}

async function shippedPolicy(): Promise<NamedPolicy> {
  return { name: 'toolsample-builtin', policy: await folderPolicy(BUILTIN_POLICY) };
}

/** Null: no run has completed, or there is no data folder; none is made. */
async function newestPolicy(options: OpenPolicyOptions): Promise<NamedPolicy | null> {
  if ((await findDataFolder(options.home)) === null) return null;
  const reader = await openRuns(options);
  try {
    const newest = (await reader.runs()).find(({ state }) => state === 'completed');
    if (newest === undefined) return null;
    return { name: newest.run, policy: await reader.policy(newest.run, undefined) };
  } finally {
    await reader.close();
  }
}
