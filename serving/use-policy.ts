import { basename, resolve } from 'node:path';
import type { ExportOptions } from '../contracts/export.ts';
import { BUILTIN_POLICY } from '../policy/checkpoint/builtin-policy.ts';
import { folderPolicy, type LoadablePolicy } from '../policy/engine/policy-files.ts';
import { openRuns, type RunReader } from '../client/run-reader.ts';
import { findDataFolder } from '../services/data-folder.ts';
import { namesFolder } from '../services/folder-reference.ts';

/** A policy and what it is called. */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: LoadablePolicy;
}

export interface UsePolicyOptions {
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
 * Lets `use` work with the policy that a user means by `builtin`, a Hugging Face folder, or `RUN[@EPOCH]`; undefined: that of the newest
 * completed run of the data folder, else the shipped one. A folder wins over a run of that name. The policy's files stay until
 * `use` has ended.
 *
 * @throws ToolsampleError `not-found`, `config`, `checkpoint`
 */
export async function usePolicy<T>(
  reference: string | undefined,
  options: UsePolicyOptions,
  use: (policy: NamedPolicy) => Promise<T>,
): Promise<T> {
  if (reference === 'builtin') return use(await shippedPolicy());
  if (reference !== undefined && namesFolder(reference)) {
    return use({ name: basename(resolve(reference)), policy: await folderPolicy(reference) });
  }
  // None is made for a look.
  if (reference === undefined && (await findDataFolder(options.home)) === null)
    return use(await shippedPolicy());
  const reader = await openRuns(options);
  try {
    const chosen = await chosenRun(reader, reference, options);
    if (chosen === null) return await use(await shippedPolicy());
    const { run, epoch } = chosen;
    const name = epoch === undefined ? run : `${run}@${epoch}`;
    return await reader.usePolicy(run, epoch, async (policy) => use({ name, policy }));
  } finally {
    await reader.close();
  }
}

async function shippedPolicy(): Promise<NamedPolicy> {
  return { name: 'toolsample-builtin', policy: await folderPolicy(BUILTIN_POLICY) };
}

/** Null: none was named, and no run has completed. */
async function chosenRun(
  reader: RunReader,
  reference: string | undefined,
  { findRun }: UsePolicyOptions,
): Promise<{ readonly run: string; readonly epoch: ExportOptions['epoch'] } | null> {
  if (reference !== undefined) return findRun(reference, await reader.runIds());
  const [newest] = await reader.runIds(['completed']);
  return newest === undefined ? null : { run: newest, epoch: undefined };
}
