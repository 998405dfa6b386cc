import { rename, stat } from 'node:fs/promises';
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

/** A file as it was when somebody began to read it: one that replaces or mends it differs. */
export interface SeenFile {
  readonly bytes: number;
  readonly inode: bigint;
  readonly writtenAt: bigint;
}

/** @returns null when there is none */
export async function seenFile(path: string): Promise<SeenFile | null> {
  try {
    const { size, ino, mtimeNs } = await stat(path, { bigint: true });
    return { bytes: Number(size), inode: ino, writtenAt: mtimeNs };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Puts a file that proved damaged out of the way, so that computing the content again can store it again; it is kept for those who look
 * for the cause. While it was read somebody else may have done so, and put the whole content in its place: that stays.
 *
 * @returns false when it is not the file that was seen: look again
 */
export async function setAside(place: string, seen: SeenFile): Promise<boolean> {
  const damaged = `${place}${DAMAGED}`;
  if (!isSame(await seenFile(place), seen)) return false;
  try {
    await rename(place, damaged);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  const moved = await seenFile(damaged);
  if (moved === null || isSame(moved, seen)) return true;
  // Replaced at this very instant.
  await rename(damaged, place);
  return false;
}

function isSame(one: SeenFile | null, other: SeenFile): boolean {
  return one !== null && one.inode === other.inode && one.writtenAt === other.writtenAt;
}
