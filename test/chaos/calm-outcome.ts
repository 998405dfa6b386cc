import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, vi } from 'vitest';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { Outcome } from './outcome.ts';

const MINUTES = 60_000;

/**
 * What the undisturbed run of a configuration comes to. The first test file that asks has it made; others wait for that.
 * @param make does the run; a failure is the caller's own, and the next one tries again
 */
export async function calmOutcome(
  config: RunConfigInput,
  make: () => Promise<Outcome>,
): Promise<Outcome> {
  const name = createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16);
  const file = join(inject('scratch'), `${name}.json`);
  const lock = `${file}.lock`;
  let found: Outcome | null = null;
  await vi.waitUntil(
    async () => {
      found = await read(file);
      if (found !== null) return true;
      if (!(await taken(lock))) return false;
      try {
        found = await make();
        await write(file, found);
        return true;
      } finally {
        await rm(lock, { recursive: true });
      }
    },
    { timeout: 4 * MINUTES, interval: 200 },
  );
  if (found === null) throw new Error('no undisturbed run');
  return found;
}

/** @returns whether the lock is the caller's now */
async function taken(lock: string): Promise<boolean> {
  return mkdir(lock).then(
    () => true,
    () => false,
  );
}

async function read(file: string): Promise<Outcome | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return null;
  const { weights, rows } = JSON.parse(text) as {
    readonly weights: string;
    readonly rows: readonly (readonly [string, readonly string[]])[];
  };
  return { weights, rows: new Map(rows) };
}

/** Whole or not at all. */
async function write(file: string, { weights, rows }: Outcome): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify({ weights, rows: [...rows] }));
  await rename(`${file}.new`, file);
}
