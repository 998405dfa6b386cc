import { rm } from 'node:fs/promises';
import type { ArtifactStore } from './contracts/artifacts.ts';
import { ToolsampleError } from './contracts/errors.ts';
import type { FileCount, GarbageOptions, GarbageReport } from './contracts/garbage.ts';
import { baseManifests, newestWeights, referredTo } from './db/artifact-references.ts';
import type { Database } from './db/connection.ts';
import { putBack } from './services/artifact-places.ts';
import {
  removeUnused,
  storedFiles,
  unfinishedFiles,
  type StoredFile,
} from './services/artifact-sweep.ts';
import { openArtifactStore } from './services/artifact-store.ts';
import type { DataFolder } from './services/data-folder.ts';
import { readManifest } from './policy/checkpoint/checkpoint-files.ts';

/** Artifacts that the database is asked about at a time. */
const BATCH = 10_000;
const HOUR_MILLISECONDS = 3_600_000;
const DEFAULT_HOURS = 24;
/** Checkpoints that tell whether database and data folder belong together. */
const GLANCE = 100;

/**
 * Removes the artifacts of a data folder to which no run refers: what crashes and deleted runs have left. Safe beside working
 * workers, and to be killed at any instant.
 *
 * @throws ToolsampleError `config` when the limit is below an hour or the database is not the one of this data folder,
 *   `not-found` or `corrupt-artifact` when a base policy's manifest cannot be read; nothing is removed then
 */
export async function collectGarbage(
  db: Database,
  folder: Pick<DataFolder, 'artifacts' | 'temporary'>,
  { dryRun = false, olderThanHours = DEFAULT_HOURS }: GarbageOptions = {},
): Promise<GarbageReport> {
  if (!(olderThanHours >= 1)) {
    throw new ToolsampleError('config', 'what is younger than an hour may be in the making', {
      at: { field: '--older-than' },
      hint: 'give at least 1 (hours)',
    });
  }
  const store = await openArtifactStore(folder, { tidy: false });
  await requireOwnDatabase(db, store, folder.artifacts);
  const policyFiles = await basePolicyFiles(db, store);
  const before = Date.now() - olderThanHours * HOUR_MILLISECONDS;
  const counts = emptyCounts();

  for (const file of await unfinishedFiles(folder.temporary, before)) {
    if (!dryRun) await rm(file.path, { recursive: true, force: true });
    counts.unfinished = plus(counts.unfinished, file);
  }
  for await (const batch of inBatches(storedFiles(folder.artifacts), BATCH)) {
    const candidates = [...new Set(batch.map(({ sha256 }) => sha256))];
    const used = await referredTo(db, candidates);
    for (const file of batch) {
      const isUsed = used.has(file.sha256) || policyFiles.has(file.sha256);
      const outcome = await sweep(file, { isUsed, before, dryRun, store });
      counts[outcome] = plus(counts[outcome], file);
    }
  }
  const { unused, unfinished, damaged, used, young } = counts;
  return {
    dryRun,
    olderThanHours,
    removed: { unused, unfinished, damaged },
    kept: { used, young },
  };
}

type Outcome = 'unused' | 'unfinished' | 'damaged' | 'used' | 'young';

interface SweepOptions {
  readonly isUsed: boolean;
  readonly before: number;
  readonly dryRun: boolean;
  readonly store: ArtifactStore;
}

/** Removes a file if it has to go; says what became of it, or would. */
async function sweep(
  file: StoredFile,
  { isUsed, before, dryRun, store }: SweepOptions,
): Promise<Exclude<Outcome, 'unfinished'>> {
  if (file.state === 'aside' && isUsed) {
    if (!dryRun) await putBack(file.path.slice(0, file.path.lastIndexOf('.')));
    return 'used';
  }
  // A damaged file may be all that is left of what is needed: somebody may mend it.
  const needed = isUsed && !(file.state === 'damaged' && (await isWhole(file, store)));
  if (needed) return 'used';
  if (file.storedAt >= before) return 'young';
  if (!dryRun && !(await removeUnused(file, before))) return 'young';
  return file.state === 'damaged' ? 'damaged' : 'unused';
}

async function isWhole({ sha256, bytes }: StoredFile, store: ArtifactStore): Promise<boolean> {
  return store.has({ sha256, bytes });
}

/** The files that the manifests of all base policies name. */
async function basePolicyFiles(db: Database, store: ArtifactStore): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  for (const base of await baseManifests(db)) {
    for (const { sha256 } of Object.values((await readManifest(base, store)).files)) {
      files.add(sha256);
    }
  }
  return files;
}

/** In a database that belongs to another data folder nothing refers to what lies here: all of it would look like garbage. */
async function requireOwnDatabase(
  db: Database,
  store: ArtifactStore,
  artifacts: string,
): Promise<void> {
  const [base] = await baseManifests(db);
  const weights = await newestWeights(db, GLANCE);
  const found = await Promise.all(weights.map(async (ref) => store.has(ref)));
  if (base !== undefined && (weights.length === 0 || found.includes(true))) return;
  const { done } = await storedFiles(artifacts).next();
  if (base === undefined && done === true) return;
  throw new ToolsampleError(
    'config',
    base === undefined
      ? 'there are artifacts, but the database has no runs'
      : "none of the weights that the database's runs refer to are here",
    {
      at: { file: artifacts },
      hint: 'give the database of this data folder (DATABASE_URL, --home); to begin anew, delete the folder',
    },
  );
}

function emptyCounts(): { [outcome in Outcome]: FileCount } {
  const none: FileCount = { files: 0, bytes: 0 };
  return { unused: none, unfinished: none, damaged: none, used: none, young: none };
}

function plus(count: FileCount, { bytes }: { readonly bytes: number }): FileCount {
  return { files: count.files + 1, bytes: count.bytes + bytes };
}

async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
