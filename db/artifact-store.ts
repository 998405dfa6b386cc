import { sql } from 'drizzle-orm';
import { randomUUID } from 'node:crypto';
import type { ArtifactRef, SweepableStore } from '../contracts/artifacts.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { newestWeights } from './artifact-references.ts';
import type { Database } from './connection.ts';
import { artifactStore } from './schema/artifact-store.ts';

/** Checkpoints that tell whether a database and a store belong together where the mark does not. */
const GLANCE = 100;

/**
 * Makes a store the one of this database, the first time; later sees to it that no other is used: a worker with a store of its own
 * would leave behind what nobody else finds.
 * Safe beside others that do the same, and to be killed.
 *
 * @throws ToolsampleError `config` when the database's artifacts are in another store
 */
export async function claimStore(db: Database, store: SweepableStore): Promise<void> {
  for (;;) {
    const { belongs, mark } = await lookAt(db, store);
    if (belongs === 'marked') return;
    if (belongs === 'no') throw foreign(store);
    const own = await store.put(new TextEncoder().encode(`artifact store ${randomUUID()}\n`));
    if (await recordMark(db, own, mark)) return;
    // Another one was faster: look at what it chose.
    await store.delete(own.sha256);
  }
}

/** Whether the database's artifacts are known to be in this store; not so in a new database. */
export async function isOwnStore(db: Database, store: SweepableStore): Promise<boolean> {
  const { belongs } = await lookAt(db, store);
  return belongs === 'marked' || belongs === 'yes';
}

interface Look {
  /** `yes`: without a mark, because what older code stored was not marked, or because it was lost. */
  readonly belongs: 'marked' | 'yes' | 'no' | 'nothing stored yet';
  readonly mark: ArtifactRef | null;
}

async function lookAt(db: Database, store: SweepableStore): Promise<Look> {
  const mark = await readMark(db);
  if (mark !== null && (await store.has(mark))) return { belongs: 'marked', mark };
  const weights = await newestWeights(db, GLANCE);
  const found = await Promise.all(weights.map(async (ref) => store.has(ref)));
  if (found.includes(true)) return { belongs: 'yes', mark };
  return { belongs: mark === null && weights.length === 0 ? 'nothing stored yet' : 'no', mark };
}

async function readMark(db: Database): Promise<ArtifactRef | null> {
  const [row] = await db.select().from(artifactStore);
  return row === undefined ? null : { sha256: row.markSha256, bytes: row.markBytes };
}

/** @returns whether it is the database's mark now; not so when another one than `before` has been recorded meanwhile. */
async function recordMark(
  db: Database,
  { sha256, bytes }: ArtifactRef,
  before: ArtifactRef | null,
): Promise<boolean> {
  const values = { markSha256: sha256, markBytes: bytes };
  const recorded = await db
    .insert(artifactStore)
    .values(values)
    .onConflictDoUpdate({
      target: artifactStore.only,
      set: { ...values, markedAt: sql`now()` },
      setWhere: sql`${artifactStore.markSha256} = ${before?.sha256 ?? null}`,
    })
    .returning();
  return recorded.length > 0;
}

function foreign({ place }: SweepableStore): ToolsampleError {
  return new ToolsampleError('config', "the artifacts of this database's runs are not here", {
    at: { file: place },
    hint: 'all workers of a database need the same TOOLSAMPLE_ARTIFACTS (unset: the --home that holds them); where artifacts were moved, move all of them',
  });
}
