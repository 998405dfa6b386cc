import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ToolsampleError } from '../../contracts/errors.ts';
import { openRuns } from '../../run-reader.ts';
import type { CommandContext } from '../program.ts';
import { findRunId } from '../run-reference.ts';

/** `toolsample export RUN DIR`: copies a completed run's policy; the folder appears whole or not at all. */
export async function exportRun(
  { terminal, home, json }: CommandContext,
  reference: string,
  target: string,
): Promise<void> {
  const folder = resolve(target);
  await refuseOccupied(folder);
  const reader = await openRuns({ home, log: (message) => terminal.note(message) });
  try {
    const run = findRunId(
      reference,
      (await reader.runs()).map((each) => each.run),
    );
    const { policyFolder, policySha256, state } = await reader.status(run);
    if (policyFolder === null)
      throw new ToolsampleError('not-found', `run ${run} has no policy to copy: it is ${state}`, {
        hint: `finish it: toolsample resume ${run}`,
      });
    const parent = dirname(folder);
    await mkdir(parent, { recursive: true });
    const unfinished = join(parent, `.${basename(folder)}.${process.pid}`);
    try {
      await cp(policyFolder, unfinished, { recursive: true, errorOnExist: true, force: false });
      // An empty folder of that name gives way.
      await rename(unfinished, folder);
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
    terminal.print(
      json
        ? JSON.stringify({ run, folder, policySha256 }, null, 2)
        : `copied the policy of ${run} to ${folder}`,
    );
  } finally {
    await reader.close();
  }
}

async function refuseOccupied(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new ToolsampleError('config', `is not a folder (${error.code ?? error.message})`, {
      at: { file: folder },
      hint: 'name a new one',
      cause: error,
    });
  });
  if (entries.length > 0)
    throw new ToolsampleError('config', 'holds files already', {
      at: { file: folder },
      hint: 'name a new folder, or empty it',
    });
}
