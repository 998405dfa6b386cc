import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { ToolsampleError } from '../../contracts/errors.ts';
import { readServiceState, updateServiceState, type DataFolder } from '../data-folder.ts';
import { fileError, readTextFile, replaceFile } from '../durable-file.ts';
import { freePort } from '../ports.ts';
import { canUse, postgresAccount, type Account } from './account.ts';

/** Where a data folder's embedded cluster lies, and as whom and on which port it runs. */
export interface Placement {
  /** Holds `data/`; belongs to the account. */
  readonly root: string;
  readonly data: string;
  readonly account: Account | null;
  readonly port: number;
}

/** Role and database of embedded clusters. */
export const EMBEDDED_NAME = 'toolsample';

/** Where the cluster lies by `services.json`; null when there never was one. Starts and creates nothing. */
export function knownRoot(folder: DataFolder): { root: string; port: number } | null {
  const known = readServiceState(folder.home)?.postgres ?? null;
  return known === null ? null : { root: known.root ?? folder.postgres, port: known.port };
}

/**
 * Finds or chooses the cluster's place, and remembers it. It lies in the data folder, unless Postgres has to run as
 * another user (we are root) who cannot enter there: then under `/var/lib/toolsample` or `/var/tmp`.
 * @throws ToolsampleError `service` when no place can be used.
 */
export async function placeCluster(
  folder: DataFolder,
  log: (message: string) => void,
): Promise<Placement> {
  const known = readServiceState(folder.home)?.postgres ?? null;
  if (known !== null) {
    const root = known.root ?? folder.postgres;
    const account = await postgresAccount(known.account ?? (await ownerName(root)));
    await mkdir(root, { recursive: true, mode: 0o700 });
    if (!(await canUse(account, root))) {
      throw new ToolsampleError(
        'config',
        `the user ${account?.name ?? 'who runs toolsample'} can no longer use the embedded Postgres's folder`,
        { at: { file: root }, hint: 'give the folder back to that user, or run as its owner' },
      );
    }
    return { root, data: join(root, 'data'), account, port: known.port };
  }

  const account = await postgresAccount(null);
  const root = await chooseRoot(folder, account);
  if (root !== folder.postgres) {
    log(
      `Postgres's files go to ${root}: as root it runs as the user ${account?.name ?? ''}, who cannot enter ${folder.home}`,
    );
  }
  const port = await freePort(`${folder.id}/postgres`, new Set());
  updateServiceState(folder, {
    postgres: {
      root: root === folder.postgres ? null : root,
      account: account?.name ?? null,
      port,
    },
  });
  return { root, data: join(root, 'data'), account, port };
}

/** A folder that an ordinary user made and root now starts: Postgres must go on as that user. */
async function ownerName(root: string): Promise<string | null> {
  const owner = await stat(root).catch(() => null);
  return owner === null || owner.uid === 0 ? null : String(owner.uid);
}

async function chooseRoot(folder: DataFolder, account: Account | null): Promise<string> {
  const candidates =
    account === null
      ? [folder.postgres]
      : [
          folder.postgres,
          join('/var/lib/toolsample', folder.id),
          join('/var/tmp', `toolsample-${folder.id}`),
        ];
  for (const root of candidates) {
    if (await prepare(root, account)) return root;
  }
  throw new ToolsampleError(
    'service',
    `Postgres has to run as ${account?.name ?? 'you'}, who can use none of ${candidates.join(', ')}`,
    {
      hint: 'choose a data folder elsewhere with --home, or set DATABASE_URL to a Postgres server',
    },
  );
}

async function prepare(root: string, account: Account | null): Promise<boolean> {
  try {
    await mkdir(join(root, '..'), { recursive: true, mode: 0o711 });
    await mkdir(root, { mode: 0o700 }).catch(async (error: unknown) => {
      // Somebody else's folder of that name, or a link to one, must not become ours.
      const found = await lstat(root);
      const owners = new Set([process.getuid?.(), account?.uid]);
      if (!found.isDirectory() || !owners.has(found.uid)) throw error;
    });
    if (account !== null) await chown(root, account.uid, account.gid);
    await chmod(root, 0o700);
    if (await canUse(account, root)) return true;
    await rmdir(root);
    return false;
  } catch (error) {
    if (account === null) throw fileError(error, root, "cannot create Postgres's folder");
    return false;
  }
}

/** The embedded role's password: drawn once per data folder and kept in a file that only its owner can read. */
export function clusterPassword(folder: DataFolder): string {
  const file = join(folder.home, 'postgres-password');
  const found = readTextFile(file)?.trim();
  if (found !== undefined && found !== '') return found;
  const drawn = randomBytes(24).toString('hex');
  replaceFile(file, `${drawn}\n`, 0o600);
  return drawn;
}

/**
 * The connection string of a data folder's embedded server. It listens on this machine alone and has no TLS: what `PGSSLMODE` asks for
 * is meant for other servers.
 */
export function clusterUrl(port: number, password: string, database = EMBEDDED_NAME): string {
  return `postgres://${EMBEDDED_NAME}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
}
