import type { StoredArtifact, SweepableStore } from '../contracts/artifacts.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { FileCount, GarbageOptions, GarbageReport } from '../contracts/garbage.ts';
import { baseManifests, referredTo } from '../db/artifact-references.ts';
import { isOwnStore } from '../db/artifact-store.ts';
import type { Database } from '../db/connection.ts';
import { readManifest } from '../policy/checkpoint/checkpoint-files.ts';

/** Artifacts that the database is asked about at a time. */
const BATCH = 10_000;
const HOUR_MILLISECONDS = 3_600_000;
const DEFAULT_HOURS = 24;

/**
 * Removes the artifacts of a store to which no run refers: what crashes and deleted runs have left. Safe beside working
 * workers, and to be killed at any instant.
 *
 * @throws ToolsampleError `config` when the limit is below an hour or the database is not the one of this store,
 *   `not-found` or `corrupt-artifact` when a base policy's manifest cannot be read; nothing is removed then
 */
export async function collectGarbage(
  db: Database,
  store: SweepableStore,
  { dryRun = false, olderThanHours = DEFAULT_HOURS }: GarbageOptions = {},
): Promise<GarbageReport> {
  if (!(olderThanHours >= 1)) {
    throw new ToolsampleError('config', 'what is younger than an hour may be in the making', {
      at: { field: '--older-than' },
      hint: 'give at least 1 (hours)',
    });
  }
  await requireOwnDatabase(db, store);
  const policyFiles = await basePolicyFiles(db, store);
  const before = Date.now() - olderThanHours * HOUR_MILLISECONDS;
  const counts = emptyCounts();

  for (const leftover of await store.unfinished(before)) {
    if (!dryRun) await leftover.remove();
    counts.unfinished = plus(counts.unfinished, leftover);
  }
  for await (const batch of inBatches(store.stored(), BATCH)) {
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
  readonly store: SweepableStore;
}

/** Removes a file if it has to go; says what became of it, or would. */
async function sweep(
  file: StoredArtifact,
  { isUsed, before, dryRun, store }: SweepOptions,
): Promise<Exclude<Outcome, 'unfinished'>> {
  if (file.state === 'aside' && isUsed) {
    if (!dryRun) await store.putBack(file);
    return 'used';
  }
  // A damaged file may be all that is left of what is needed: somebody may mend it.
  const needed = isUsed && !(file.state === 'damaged' && (await isWhole(file, store)));
  if (needed) return 'used';
  if (file.storedAt >= before) return 'young';
  if (!dryRun && !(await store.removeUnused(file, before))) return 'young';
  return file.state === 'damaged' ? 'damaged' : 'unused';
}

async function isWhole({ sha256, bytes }: StoredArtifact, store: SweepableStore): Promise<boolean> {
  return store.has({ sha256, bytes });
}

/** The files that the manifests of all base policies name. */
async function basePolicyFiles(db: Database, store: SweepableStore): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  for (const base of await baseManifests(db)) {
    for (const { sha256 } of Object.values((await readManifest(base, store)).files)) {
      files.add(sha256);
    }
  }
  return files;
}

/** In a database that belongs to another store nothing refers to what lies here: all of it would look like garbage. */
async function requireOwnDatabase(db: Database, store: SweepableStore): Promise<void> {
  if (await isOwnStore(db, store)) return;
  const { done } = await store.stored().next();
  if (done === true) return;
  throw new ToolsampleError(
    'config',
    'there are artifacts, but they are not those of this database',
    {
      at: { file: store.place },
      hint: 'give the database that belongs to these artifacts (DATABASE_URL, TOOLSAMPLE_ARTIFACTS, --home); to begin anew, delete them',
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
