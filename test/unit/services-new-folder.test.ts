import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ToolsampleError } from '../../contracts/errors.ts';
import { createFolder } from '../../services/new-folder.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-folder-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const fill = async (folder: string): Promise<string> => {
  await writeFile(join(folder, 'weights'), 'all of them');
  return 'filled';
};

describe('createFolder', () => {
  it('fills a new folder, with its parents', async () => {
    const path = join(root, 'a', 'b', 'policy');
    expect(await createFolder(path, fill)).toBe('filled');
    expect(await readFile(join(path, 'weights'), 'utf8')).toBe('all of them');
    expect(await readdir(join(root, 'a', 'b'))).toEqual(['policy']);
  });

  it('takes the place of an empty folder, also through a symbolic link', async () => {
    await mkdir(join(root, 'empty'));
    await symlink('empty', join(root, 'link'));
    await createFolder(join(root, 'link'), fill);
    expect(await readdir(join(root, 'empty'))).toEqual(['weights']);
  });

  it('leaves nothing when it fails', async () => {
    const path = join(root, 'policy');
    const failing = createFolder(path, async (folder) => {
      await fill(folder);
      throw new ToolsampleError('corrupt-artifact', 'the content does not match its hash');
    });
    await expect(failing).rejects.toThrow('does not match');
    expect(await readdir(root)).toEqual([]);
  });

  it('refuses a place that is taken, before and after the work', async () => {
    const path = join(root, 'taken');
    await mkdir(path);
    await writeFile(join(path, 'mine'), '');
    await expect(createFolder(path, fill)).rejects.toThrow(/taken: holds files already — name a/);
    await expect(createFolder(join(path, 'mine'), fill)).rejects.toThrow(/is not a folder/);
    await expect(createFolder(join(path, 'mine', 'under'), fill)).rejects.toThrow(
      /is not a folder/,
    );
    const late = createFolder(join(root, 'late'), async (folder) => {
      await fill(folder);
      await mkdir(join(root, 'late', 'other'), { recursive: true });
    });
    const error: unknown = await late.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'config', exitCode: 2 });
    expect(await readdir(root)).toEqual(['late', 'taken']);
    expect(await readdir(path)).toEqual(['mine']);
  });

  it.skipIf(process.getuid?.() === 0)('says so when it may not write there', async () => {
    await chmod(root, 0o500);
    await expect(createFolder(join(root, 'policy'), fill)).rejects.toMatchObject({
      code: 'config',
    });
    await chmod(root, 0o700);
  });

  it('leaves no folder when it is killed, and the next attempt clears up', async () => {
    const path = join(root, 'policy');
    const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm')).href;
    const module = new URL('../../services/new-folder.ts', import.meta.url).href;
    const script = `
      import { writeFileSync } from 'node:fs';
      const { createFolder } = await import(${JSON.stringify(module)});
      await createFolder(${JSON.stringify(path)}, async (folder) => {
        writeFileSync(folder + '/weights', 'half of');
        console.log('writing');
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    const child = spawn(
      process.execPath,
      ['--import', loader, '--input-type=module', '-e', script],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await once(child.stdout, 'data');
    // One under way is left alone.
    await createFolder(join(root, 'other'), fill);
    await createFolder(path, fill);
    expect((await readdir(root)).sort()).toEqual([
      `.policy.${child.pid}.partial`,
      'other',
      'policy',
    ]);
    await rm(path, { recursive: true });

    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await readdir(root)).sort()).toEqual([`.policy.${child.pid}.partial`, 'other']);
    await createFolder(path, fill);
    expect((await readdir(root)).sort()).toEqual(['other', 'policy']);
    expect(await readFile(join(path, 'weights'), 'utf8')).toBe('all of them');
  });
});
