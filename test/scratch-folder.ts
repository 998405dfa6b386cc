import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder for what the files of one test run share. */
    readonly scratch: string;
  }
}

/** Vitest's global setup. @returns what to do at the end */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const scratch = await mkdtemp(join(tmpdir(), 'toolsample-tests-'));
  provide('scratch', scratch);
  return async () => rm(scratch, { recursive: true, force: true });
}
