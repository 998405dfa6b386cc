import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { artifactLocation, type BucketLocation } from '../artifacts/artifact-location.ts';
import { hashBytes, writeDurably } from '../hashed-file.ts';
import { errorMessage } from '../process.ts';
import { check, type Check } from './check.ts';
import { roomFor } from './machine.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether artifacts can be stored where they are to lie: a small one is written, read, listed and deleted. */
export function checkArtifacts(home: string, env: Environment): Promise<Check> {
  return check('Artifacts', async () => {
    const location = artifactLocation(env);
    if (location.kind === 's3') return tryBucket(location);
    return tryFolder(location.kind === 'folder' ? location.folder : join(home, 'artifacts'));
  });
}

async function tryFolder(folder: string): Promise<Omit<Check, 'name'>> {
  const { place, ...found } = await roomFor(folder);
  const room = { ...found, advice: found.status === 'ok' ? null : FREE_SPACE };
  if (place !== folder) return { ...room, found: `${folder}, made when needed; ${room.found}` };
  const path = join(folder, `doctor-${randomUUID()}`);
  const begin = performance.now();
  try {
    await trying('write', async () => writeDurably(path, probeBytes()));
    await trying('read', async () => same(await readFile(path)));
  } finally {
    await trying('delete', async () => rm(path, { force: true }));
  }
  return { ...room, found: `${room.found}, written and read in ${since(begin)}` };
}

async function tryBucket(location: BucketLocation): Promise<Omit<Check, 'name'>> {
  // Loaded only here: most data folders keep what they have.
  const { openBucket } = await import('../artifacts/bucket.ts');
  const { probeName } = await import('../artifacts/bucket-sweep.ts');
  const bucket = openBucket(location);
  const name = probeName();
  const bytes = probeBytes();
  const begin = performance.now();
  await trying('write', async () =>
    bucket.write(name, {
      sha256: await hashBytes(bytes),
      bytes: bytes.byteLength,
      body: () => bytes,
    }),
  );
  try {
    await trying('read', async () => {
      const body = await bucket.read(name, 0);
      same(body === null ? null : Buffer.concat(await body.stream.toArray()));
    });
    await trying('list', async () => {
      for await (const found of bucket.list(name)) if (found.name === name) return;
      throw new Error(`${bucket.address}: what was just stored is not listed${OTHER_SERVER}`);
    });
  } catch (error) {
    // Why it could not be read says more than why it could not be deleted either.
    await bucket.remove(name).catch(() => undefined);
    throw error;
  }
  await trying('delete', async () => bucket.remove(name));
  const took = `written, read, listed and deleted in ${since(begin)}`;
  return { status: 'ok', found: `${bucket.address}, ${took}`, advice: null };
}

const FREE_SPACE = 'rollouts and checkpoints are kept there: free some space';
const OTHER_SERVER =
  ' — use an object store that shows at once what was written, as Amazon S3 does';

function probeBytes(): Uint8Array {
  return Buffer.from('toolsample doctor was here, and removes this');
}

function same(read: Uint8Array | null): void {
  if (read !== null && Buffer.compare(read, probeBytes()) === 0) return;
  throw new Error(`what was just stored reads otherwise${OTHER_SERVER}`);
}

/** Which right is missing is the first thing to know. */
async function trying(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new Error(`cannot ${what}: ${errorMessage(error)}`, { cause: error });
  }
}

function since(begin: number): string {
  return `${Math.round(performance.now() - begin)} ms`;
}
