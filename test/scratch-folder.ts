import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { removeDataFolder } from '../services/services.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder for what the files of one test run share; anybody may enter it, so may the user of Postgres. */
    readonly scratch: string;
  }
}

/** Where the database server lies that test files share, once one of them has asked for it. */
export function scratchHome(scratch: string): string {
  return join(scratch, 'services');
}

/** Vitest's global setup. @returns what to do at the end */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const scratch = await realpath(await mkdtemp(join(tmpdir(), 'toolsample-tests-')));
  await chmod(scratch, 0o755);
  provide('scratch', scratch);
  return async () => {
    await removeDataFolder(scratchHome(scratch));
    await rm(scratch, { recursive: true, force: true });
  };
}
