import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolsampleError } from '../../contracts/errors.ts';
import { errorCode } from '../process.ts';

/** A damaged file is called so from then on. */
export const DAMAGED = '.corrupt';
/** A file that is about to be removed is called so for an instant: see `removeUnused`. */
export const ASIDE = '.unused';

/** Where an artifact lies: `<artifacts>/ab/<sha256>`. @throws ToolsampleError `schema` when that is no hash */
export function artifactPlace(artifacts: string, sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw new ToolsampleError('schema', `"${sha256}" is not a SHA-256 hash`, {
      at: { file: artifacts },
    });
  }
  return join(artifacts, sha256.slice(0, 2), sha256);
}

/** Gives an artifact that was put aside its name back; false when none was. */
export async function putBack(place: string): Promise<boolean> {
  try {
    await rename(`${place}${ASIDE}`, place);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
