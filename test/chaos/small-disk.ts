import { execFileSync } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A file system of its own, small enough to be filled. */
export interface SmallDisk {
  /** Leaves not a byte. */
  fill(): Promise<void>;
  free(): Promise<void>;
  unmount(): void;
}

/** Mounts one over a folder; null where we may not (it takes root, on Linux). */
export function mountSmallDisk(
  folder: string,
  {
    megabytes,
    owner = { uid: 0, gid: 0 },
  }: {
    readonly megabytes: number;
    readonly owner?: { readonly uid: number; readonly gid: number };
  },
): SmallDisk | null {
  const options = `size=${megabytes}m,mode=711,uid=${owner.uid},gid=${owner.gid}`;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return null;
  }
  const filler = join(folder, '.filler');
  return {
    async fill() {
      const file = await open(filler, 'w');
      try {
        for (const size of [1 << 20, 4096]) {
          const bytes = Buffer.alloc(size);
          for (;;) {
            const written = await file.write(bytes).catch((error: NodeJS.ErrnoException) => {
              if (error.code === 'ENOSPC') return null;
              throw error;
            });
            if (written === null || written.bytesWritten < size) break;
          }
        }
      } finally {
        await file.close();
      }
    },
    free: async () => rm(filler, { force: true }),
    unmount: () => void execFileSync('umount', [folder]),
  };
}
