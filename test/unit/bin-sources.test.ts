import { execFile } from 'node:child_process';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHECKOUT } from './support/scratch-services.ts';

const SOURCES = /^sources-[0-9a-f]{32}$/;

/** Of the help: in the source, and in the bundle. */
const SENTENCE = 'wait before the next step';
const CHANGED = 'rest before the next step';

let root: string;
let checkout: string;
let cache: string;
let homes = 0;

/** The sources in a place of their own, where they can be changed. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample sources '));
  checkout = join(root, 'checkout');
  await cp(CHECKOUT, checkout, {
    recursive: true,
    filter: (path) =>
      !/^(\.|node_modules$|assets$|test$|docs$)/.test(path.slice(CHECKOUT.length + 1)),
  });
  await symlink(join(CHECKOUT, 'node_modules'), join(checkout, 'node_modules'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => {
  cache = join(root, `cache-${++homes}`);
});

async function help(): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [join(checkout, 'bin', 'toolsample.js'), '--help'],
    { env: { PATH: process.env['PATH'], XDG_CACHE_HOME: cache } },
  );
  expect(stderr).toBe('');
  return stdout;
}

async function kept(): Promise<string[]> {
  return readdir(join(cache, 'toolsample')).catch(() => []);
}

describe('the sources of a command', () => {
  it('are bundled once for each state of them', async () => {
    const before = await help();
    const [first, ...more] = await kept();
    expect([first, more]).toEqual([expect.stringMatching(SOURCES), []]);
    expect((await stat(join(cache, 'toolsample', first!))).mode & 0o777).toBe(0o700);
    expect(await help()).toBe(before);
    expect(await kept()).toEqual([first]);

    const program = join(checkout, 'cli', 'program.ts');
    const text = await readFile(program, 'utf8');
    try {
      await writeFile(program, text.replace(SENTENCE, CHANGED));
      expect(await help()).toBe(before.replace(SENTENCE, CHANGED));
      expect(await kept()).toHaveLength(2);
    } finally {
      await writeFile(program, text);
    }
    expect(await help()).toBe(before);
    expect(await kept()).toHaveLength(2);
  });

  it('are run as they were bundled', async () => {
    const before = await help();
    const [name] = await kept();
    const folder = join(cache, 'toolsample', name!);
    const parts = (await readdir(folder, { recursive: true })).filter((file) =>
      file.endsWith('.js'),
    );
    for (const part of parts) {
      const text = await readFile(join(folder, part), 'utf8');
      await writeFile(join(folder, part), text.replace(SENTENCE, CHANGED));
    }
    expect(before).toContain(SENTENCE);
    expect(await help()).toBe(before.replace(SENTENCE, CHANGED));
  });

  it('are bundled by several commands at once without harm', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, help));
    expect(new Set(answers).size).toBe(1);
    expect(await kept()).toEqual([expect.stringMatching(SOURCES)]);
  });

  it('are bundled again where a part was damaged', async () => {
    const before = await help();
    const [name] = await kept();
    const main = join(cache, 'toolsample', name!, 'cli', 'main.js');
    const { size } = await stat(main);
    await truncate(main, 0);
    expect(await help()).toBe(before);
    expect((await stat(main)).size).toBe(size);
  });

  it('are run one by one where no bundle can be kept', async () => {
    const before = await help();
    cache = join(root, 'a-file');
    await writeFile(cache, '');
    expect(await help()).toBe(before);
  });

  it.skipIf(process.getuid?.() !== 0)('of another user are not run', async () => {
    const before = await help();
    const [name] = await kept();
    const folder = join(cache, 'toolsample', name!);
    await writeFile(join(folder, 'cli', 'main.js'), 'process.exit(99)');
    await promisify(execFile)('chown', ['-R', '65534', cache]);
    await chmod(folder, 0o777);
    expect(await help()).toBe(before);
  });

  it('leave no bundles that nobody has used for months', async () => {
    const [old, recent] = ['0', '1'].map((digit) =>
      join(cache, 'toolsample', `sources-${digit.repeat(32)}`),
    ) as [string, string];
    for (const folder of [old, recent]) await mkdir(folder, { recursive: true });
    const then = new Date(Date.now() - 100 * 86_400_000);
    await utimes(old, then, then);
    await help();
    const left = await kept();
    expect(left).toHaveLength(2);
    expect(left).toContain('sources-' + '1'.repeat(32));
  });
});
