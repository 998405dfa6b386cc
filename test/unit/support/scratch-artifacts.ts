import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openFolderStore, type FolderStore } from '../../../services/artifacts/folder-store.ts';

/** A store of this file's own, removed after its tests and hooks: to be called at the top of a file. */
export async function scratchArtifacts(): Promise<FolderStore> {
  const root = await mkdtemp(join(tmpdir(), 'toolsample-artifacts-'));
  afterAll(async () => rm(root, { recursive: true, force: true }));
  return openFolderStore({
    artifacts: join(root, 'artifacts'),
    temporary: join(root, 'temporary'),
  });
}
