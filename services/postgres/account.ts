import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

import { ToolsampleError } from '../../contracts/errors.ts';

const run = promisify(execFile);

/** A system user that Postgres runs as when we are root, which Postgres refuses to be. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const OWN_DATABASE = 'run toolsample as an ordinary user, or set DATABASE_URL to a Postgres server';

/**
 * The user that embedded Postgres runs as: null (our own) unless we are root.
 * As root: `remembered`, which owns the cluster's files; else `postgres` where the system has it; else `nobody`.
 * No user is created.
 * @throws ToolsampleError `service` when there is none to switch to.
 */
export async function postgresAccount(remembered: string | null): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  for (const name of remembered === null ? ['postgres', 'nobody'] : [remembered]) {
    const account = await lookUp(name);
    if (account !== null && (await canEnter(account, '/'))) return account;
  }
  throw new ToolsampleError(
    'service',
    `Postgres does not run as root, and root cannot switch to the user ${remembered ?? 'postgres or nobody'}`,
    { hint: OWN_DATABASE },
  );
}

async function lookUp(name: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)),
    );
    if (uid === undefined || gid === undefined || !(uid > 0)) return null;
    return { name, uid, gid };
  } catch {
    return null;
  }
}

/** A user's name; the number itself where the system knows none. */
export async function userName(uid: number): Promise<string> {
  try {
    return (await run('id', ['-un', String(uid)])).stdout.trim();
  } catch {
    return String(uid);
  }
}

/** What a child process needs to run as the account: nothing of root's environment, and a folder that all can enter. */
export function asAccount(account: Account | null): {
  readonly uid?: number;
  readonly gid?: number;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
} {
  const { PATH, TZ, SystemRoot, DYLD_LIBRARY_PATH } = process.env;
  const given = Object.entries({ PATH, TZ, SystemRoot, DYLD_LIBRARY_PATH });
  const env = {
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    LC_ALL: 'C',
  };
  return account === null
    ? { cwd: '/', env }
    : { cwd: '/', env, uid: account.uid, gid: account.gid };
}

/** Whether the account may read, write and walk the folder. Tried, not computed: mount options and ACLs count too. */
export function canUse(account: Account | null, folder: string): Promise<boolean> {
  return test(account, '[ -r "$1" ] && [ -w "$1" ] && cd -- "$1"', folder);
}

function canEnter(account: Account, folder: string): Promise<boolean> {
  return test(account, 'cd -- "$1"', folder);
}

function test(account: Account | null, script: string, folder: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', script, 'sh', folder], {
      ...asAccount(account),
      stdio: 'ignore',
    });
    child.once('error', () => {
      resolve(false);
    });
    child.once('exit', (code) => {
      resolve(code === 0);
    });
  });
}
