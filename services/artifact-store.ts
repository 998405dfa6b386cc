import { join } from 'node:path';
import type { SweepableStore } from '../contracts/artifacts.ts';
import { artifactLocation } from './artifacts/artifact-location.ts';
import { openFolderStore, type FolderStoreOptions } from './artifacts/folder-store.ts';
import type { DataFolder } from './data-folder.ts';

/**
 * The artifact store that `TOOLSAMPLE_ARTIFACTS` names; unset, the data folder's own. All who work on the runs of one database
 * have to use the same.
 *
 * @throws ToolsampleError `config` when it names none that can be, `service` when the folder cannot be opened
 */
export async function openArtifactStore(
  folder: Pick<DataFolder, 'artifacts' | 'temporary' | 'cache'>,
  options: FolderStoreOptions = {},
): Promise<SweepableStore> {
  const location = artifactLocation(process.env);
  if (location.kind === 'home') return openFolderStore(folder, options);
  if (location.kind === 'folder') {
    const { folder: artifacts } = location;
    return openFolderStore({ artifacts, temporary: join(artifacts, 'unfinished') }, options);
  }
  // Loaded only here: most data folders keep what they have.
  const { openBucketStore } = await import('./artifacts/bucket-store.ts');
  return openBucketStore(location, folder);
}
