import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { workflowBundle } from '../../services/workflow-bundle.ts';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-bundle-'));
  await symlink(join(checkout, 'node_modules'), join(root, 'node_modules'));
  for (const folder of ['workflows', 'contracts']) {
    await cp(join(checkout, folder), join(root, folder), { recursive: true });
  }
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

it('bundles the workflows once for each state of their sources', async () => {
  const cache = join(root, 'cache');
  const sources = {
    workflowsPath: join(root, 'workflows', 'index.ts'),
    folders: [join(root, 'workflows'), join(root, 'contracts')],
  };
  // Nobody can write there: the next one is taken.
  const caches = [join(root, 'workflows', 'index.ts', 'cache'), cache];
  const first = await workflowBundle(caches, sources);
  expect(first.cached).toBe(false);
  expect(first.code).toContain('trainingRun');

  const again = await workflowBundle(caches, sources);
  expect(again.cached).toBe(true);
  expect(again.code === first.code).toBe(true);

  await writeFile(
    join(root, 'workflows', 'index.ts'),
    "export async function another(): Promise<string> { return 'another workflow'; }\n",
  );
  const changed = await workflowBundle(caches, sources);
  expect(changed.cached).toBe(false);
  expect(changed.code).toContain('another workflow');
  expect(changed.code).not.toContain('trainingRun');
  expect((await readdir(cache)).length).toBe(2);
});
