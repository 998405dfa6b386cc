import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chown,
  cp,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { findDataFolder, homePath, openDataFolder } from '../../services/data-folder.ts';
import { withFolderLock } from '../../services/folder-lock.ts';
import { isRunning, startToken, stopProcess } from '../../services/process.ts';
import { taskQueueOf } from '../../services/temporal/ensure-temporal.ts';

let root: string;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'toolsample-folder-')));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** A process id that certainly belongs to nobody now. */
async function deadPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  if (child.pid === undefined) throw new Error('no process');
  return child.pid;
}

describe('the data folder', () => {
  it('is named by the flag, else the variable, else the working directory', () => {
    const workingDirectory = '/somewhere';
    const env = { TOOLSAMPLE_HOME: 'elsewhere' };
    expect(homePath({ env: {}, workingDirectory })).toBe('/somewhere/.toolsample');
    expect(homePath({ env: { TOOLSAMPLE_HOME: '' }, workingDirectory })).toBe(
      '/somewhere/.toolsample',
    );
    expect(homePath({ env, workingDirectory })).toBe('/somewhere/elsewhere');
    expect(homePath({ home: '/flag', env, workingDirectory })).toBe('/flag');
  });

  it('is opened by many at once with one id, and closed to other users', async () => {
    const home = join(root, 'new', 'home');
    expect(await findDataFolder(home)).toBeNull();
    const opened = await Promise.all([1, 2, 3, 4].map(async () => openDataFolder(home)));
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
    expect(opened[0]?.id).toMatch(/^[0-9a-f]{16}$/);
    expect(await findDataFolder(home)).toEqual(opened[0]);
    // No one else may list it; root leaves the way through open for Postgres's user.
    expect((await stat(home)).mode & 0o066).toBe(0);
    expect((await stat(join(home, 'artifacts'))).mode & 0o077).toBe(0);
    expect((await stat(join(home, 'services.json'))).mode & 0o077).toBe(0);
  });

  it('leaves the rights of a folder that was there alone', async () => {
    const home = await mkdtemp(join(root, 'given-'));
    const before = (await stat(home)).mode;
    await openDataFolder(home);
    expect((await stat(home)).mode).toBe(before);
  });

  it('keeps its id when moved and gets a new one when copied', async () => {
    const first = await openDataFolder(join(root, 'first'));
    await cp(first.home, join(root, 'copy'), { recursive: true });
    const copy = await openDataFolder(join(root, 'copy'));
    expect(copy.id).not.toBe(first.id);
    await rename(first.home, join(root, 'moved'));
    expect((await openDataFolder(join(root, 'moved'))).id).toBe(first.id);
  });

  it('says what is wrong with a services.json that it cannot read', async () => {
    const { home } = await openDataFolder(join(root, 'broken'));
    await writeFile(join(home, 'services.json'), '{"version": 1');
    await expect(openDataFolder(home)).rejects.toMatchObject({
      code: 'schema',
      message: expect.stringContaining('services.json'),
    });
  });

  it('cannot be a file, nor lie below one', async () => {
    const file = join(root, 'file');
    await writeFile(file, '');
    for (const path of [file, join(file, 'home')]) {
      await expect(openDataFolder(path)).rejects.toMatchObject({
        code: 'config',
        message: expect.stringContaining(`${path}: not a folder`),
      });
    }
    await expect(findDataFolder(file)).rejects.toMatchObject({ code: 'config' });
    expect(await findDataFolder(join(file, 'home'))).toBeNull();
  });

  it.runIf(process.getuid?.() === 0)('of another user is refused to root', async () => {
    const { home } = await openDataFolder(join(root, 'theirs'));
    const state = join(home, 'services.json');
    await openDataFolder(home);
    await chown(state, 65_534, 65_534);
    const before = await readdir(home);
    await expect(openDataFolder(home)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/belongs to the user (\w+) — run as \1/),
    });
    expect(await readdir(home)).toEqual(before);
    // One that nobody has worked with is root's to use, whoever made it.
    const given = await mkdtemp(join(root, 'theirs-'));
    await chown(given, 65_534, 65_534);
    await openDataFolder(given);
    expect((await openDataFolder(given)).home).toBe(given);
  });

  it('names its task queue, unless a variable does', async () => {
    const folder = await openDataFolder(join(root, 'queue'));
    expect(taskQueueOf(folder, {})).toBe(`toolsample-${folder.id.slice(0, 8)}`);
    expect(taskQueueOf(folder, { TOOLSAMPLE_TASK_QUEUE: 'mine' })).toBe('mine');
  });
});

describe("the folder's lock", () => {
  it('lets one in at a time', async () => {
    let inside = 0;
    let most = 0;
    const visit = async (): Promise<void> =>
      withFolderLock(root, async () => {
        inside++;
        most = Math.max(most, inside);
        await sleep(5);
        inside--;
      });
    await Promise.all(Array.from({ length: 8 }, visit));
    expect(most).toBe(1);
  });

  it('is taken over from a killed process, and from one whose id was reused', async () => {
    const lock = join(root, 'services.lock');
    for (const holder of [await deadPid(), process.pid]) {
      await writeFile(lock, `${holder}\nanother boot/123\nnonce\n`);
      const content = await withFolderLock(root, async () => readFile(lock, 'utf8'));
      expect(content).toContain(`${process.pid}\n${await startToken(process.pid)}\n`);
    }
  });

  it('names the holder when waiting takes too long', async () => {
    await withFolderLock(root, async () => {
      await expect(
        withFolderLock(root, async () => undefined, { waitMilliseconds: 60 }),
      ).rejects.toMatchObject({
        code: 'service',
        message: expect.stringContaining(`process ${process.pid} is busy`),
      });
    });
  });

  it('is given back after a failure', async () => {
    await expect(withFolderLock(root, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await withFolderLock(root, async () => undefined, { waitMilliseconds: 0 });
  });
});

describe('processes', () => {
  it('are told apart by more than their id', async () => {
    expect(await isRunning(process.pid, ['no such program'])).toBe(false);
    expect(await isRunning(process.pid, [])).toBe(true);
    expect(await isRunning(await deadPid(), [])).toBe(false);
  });

  it('are stopped by the next signal when one has no effect; others are left alone', async () => {
    const mark = join(root, 'stubborn');
    const child = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 1; done', mark]);
    try {
      await once(child.stdout, 'data');
      const { pid } = child;
      if (pid === undefined) throw new Error('no process');
      const attempts = [
        { signal: 'SIGTERM', milliseconds: 150 },
        { signal: 'SIGKILL', milliseconds: 3_000 },
      ] as const;
      expect(await stopProcess(pid, ['some other program'], attempts)).toBeNull();
      expect(await isRunning(pid, [mark])).toBe(true);
      expect(await stopProcess(pid, [mark], attempts)).toBe('SIGKILL');
    } finally {
      child.kill('SIGKILL');
    }
  });
});
