import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';

import { openDataFolder, updateServiceState } from '../../services/data-folder.ts';
import { diagnose } from '../../services/diagnostics/diagnose.ts';
import { checkArtifacts } from '../../services/diagnostics/artifacts.ts';
import { checkCores, checkMemory, checkNode } from '../../services/diagnostics/machine.ts';
import { startHttpFaults } from '../chaos/http-faults.ts';
import { CREDENTIALS, startObjectServer } from './support/object-store.ts';

const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(TEMPORAL_|DATABASE_URL|TOOLSAMPLE_)/.test(name),
  ),
);
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-doctor-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

it('finds this machine fit, and leaves no trace', async () => {
  const home = join(root, 'not', 'there');
  const checks = await diagnose({ home, env, localTemporalPort: null });
  expect(checks.map(({ name }) => name)).toEqual([
    'Node.js',
    'Processor',
    'Memory',
    'Disk',
    'Artifacts',
    'Ports',
    'Postgres',
    'Temporal',
    'ONNX Runtime',
    'CUDA',
    'WebGPU',
  ]);
  expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
  expect(checks.at(-3)?.found).toMatch(/^1\.30\.\d+, providers .*\bcpu\b/);
  for (const { found, advice } of checks.slice(-2)) {
    // Neither is needed; what opens has nothing to be advised.
    if (found === 'opens') expect(advice).toBeNull();
    else expect(advice).toMatch(/^device "(cuda|webgpu)" takes /);
    expect(found).toMatch(/^(opens|\S[^\n]{10,300})$/);
  }
  expect(await readdir(root)).toEqual([]);
});

it('says what to do about servers that do not answer, without their passwords', async () => {
  const checks = await diagnose({
    home: root,
    env: {
      ...env,
      DATABASE_URL: 'postgres://me:secret-word@127.0.0.1:1/db',
      TEMPORAL_PROFILE: 'no such profile',
    },
    localTemporalPort: null,
  });
  const failed = checks.filter(({ status }) => status === 'fail');
  expect(failed.map(({ name }) => name)).toEqual(['Postgres', 'Temporal']);
  expect(failed[0]?.advice).toContain('DATABASE_URL');
  expect(failed[1]?.advice).toContain('TEMPORAL_');
  expect(JSON.stringify(checks)).not.toContain('secret-word');
});

it('notices ports that others took, and a data folder that cannot be read', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  onTestFinished(() => {
    squatter.close();
  });
  const address = squatter.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const folder = await openDataFolder(join(root, 'known'));
  updateServiceState(folder, { postgres: { root: null, account: null, port: address.port } });
  const checks = await diagnose({ home: folder.home, env, localTemporalPort: null });
  expect(checks.find(({ name }) => name === 'Ports')).toMatchObject({
    status: 'warn',
    found: expect.stringContaining(String(address.port)),
  });

  await mkdir(join(root, 'broken'));
  await writeFile(join(root, 'broken', 'services.json'), '[]');
  const broken = await diagnose({ home: join(root, 'broken'), env, localTemporalPort: null });
  expect(broken.find(({ name }) => name === 'Data folder')).toMatchObject({
    status: 'fail',
    advice: expect.stringContaining('move the whole data folder away'),
  });
});

it('knows when a machine is too small or too old', async () => {
  expect(await checkNode('18.20.0')).toMatchObject({ status: 'fail' });
  expect(await checkNode('20.9.0')).toMatchObject({ status: 'fail' });
  expect(await checkNode('20.10.0')).toMatchObject({ status: 'ok', advice: null });
  expect(await checkNode('24.0.0')).toMatchObject({ status: 'ok' });
  expect(await checkCores(1)).toMatchObject({ status: 'warn', found: '1 core' });
  expect(await checkCores(2)).toMatchObject({ status: 'ok' });
  expect(await checkMemory(0.5 * 1024 ** 3)).toMatchObject({ status: 'fail' });
  expect(await checkMemory(1.5 * 1024 ** 3)).toMatchObject({ status: 'warn' });
  expect(await checkMemory(8 * 1024 ** 3)).toMatchObject({ status: 'ok' });
});

it('tries a bucket out, says which right is missing, and leaves nothing there', async () => {
  for (const [name, value] of Object.entries(CREDENTIALS)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const server = await startObjectServer();
  const refused = { method: '', list: false };
  const way = await startHttpFaults(
    server.port,
    ({ method, url }) =>
      method === refused.method && (url ?? '').includes('list-type=') === refused.list,
  );
  onTestFinished(async () => {
    await way.close();
    await server.stop();
  });
  const look = (port = way.port): ReturnType<typeof checkArtifacts> =>
    checkArtifacts(root, { TOOLSAMPLE_ARTIFACTS: server.location('team', port) });

  expect(await look()).toEqual({
    name: 'Artifacts',
    status: 'ok',
    found: expect.stringMatching(
      /^s3:\/\/artifacts\/team, written, read, listed and deleted in \d+ ms$/,
    ),
    advice: null,
  });
  const probe = way.requests[0]?.split('/artifacts/')[1] ?? '';
  expect(probe).toMatch(/^team\/sweep\/doctor-/);
  await expect(access(server.file(probe))).rejects.toThrow();

  for (const [method, list, said] of [
    ['PUT', false, 'write'],
    ['GET', false, 'read'],
    ['GET', true, 'list'],
    ['DELETE', false, 'delete'],
  ] as const) {
    Object.assign(refused, { method, list });
    way.faults.splice(0, Infinity, { kind: 'status', status: 403 });
    const found = await look();
    expect(found.status).toBe('fail');
    expect(found.found).toMatch(new RegExp(`^cannot ${said}: s3://artifacts/team: .*refuses`));
    expect(found.advice).toContain('AWS_ACCESS_KEY_ID');
  }
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'nobody');
  expect(await look()).toMatchObject({ status: 'fail', found: expect.stringContaining('refuses') });
});

it('tries a folder of artifacts out, where it is or would be made', async () => {
  const folder = join(root, 'shared');
  const look = (): ReturnType<typeof checkArtifacts> =>
    checkArtifacts(root, { TOOLSAMPLE_ARTIFACTS: folder });
  expect((await look()).found).toContain(`${folder}, made when needed`);
  await mkdir(folder);
  expect((await look()).found).toMatch(/ GB free in .*shared, written and read in \d+ ms$/);
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
  await writeFile(folder, '');
  expect(await look()).toMatchObject({ status: 'fail' });
  expect(await checkArtifacts(root, { TOOLSAMPLE_ARTIFACTS: 'ftp://here' })).toMatchObject({
    status: 'fail',
    advice: expect.stringContaining('s3://bucket/prefix'),
  });
});
