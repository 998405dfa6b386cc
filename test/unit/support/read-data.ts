import { fileURLToPath } from 'node:url';
import type { RejectedRow, Sample } from '../../../contracts/sample.ts';
import { isRejected, readItems } from '../../../datasets/dataset.ts';

/** A file of `test/fixtures/formats`. */
export function formatFixture(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/formats/${name}`, import.meta.url));
}

/** All of a file. */
export async function readAll(
  path: string,
): Promise<{ readonly samples: Sample[]; readonly rejected: RejectedRow[] }> {
  const samples: Sample[] = [];
  const rejected: RejectedRow[] = [];
  for await (const item of readItems(path)) {
    if (isRejected(item)) rejected.push(item);
    else samples.push(item);
  }
  return { samples, rejected };
}
