import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { changeSettings } from '../../activities/change-settings.ts';
import { prepareFork } from '../../activities/prepare-fork.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { PolicyRef } from '../../contracts/policy.ts';
import type { Connection } from '../../db/connection.ts';
import { recordEvent } from '../../db/events.ts';
import { findRun } from '../../db/runs.ts';
import { runStatus } from '../../db/run-status.ts';
import { insertSettingChanges, readRunAt } from '../../db/setting-changes.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { klReference, trainingMemory } from '../../policy/training/memory-estimate.ts';
import { forkInput } from '../../services/configuration/fork-input.ts';
import { scratchArtifacts } from './support/scratch-artifacts.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import { TINY, writeTinyPolicy } from './support/tiny-policy.ts';

const server = scratchServer();
const artifacts = await scratchArtifacts();
let connection: Connection;
let policy: PolicyRef;

const CONFIG = { trainBatchSize: 4, maxPromptLength: 96, maxCompletionLength: 64 };
/** What the longest sequence needs, as a setting. */
function needed(beta: number): string {
  const size = { rows: 1, length: 160, predicted: 64, shared: false };
  const form = { recomputedLayers: TINY.traits.layers, attentionParts: 1 };
  const model = { traits: TINY.traits, lora: null };
  return `${trainingMemory(model, size, form, klReference(beta, false)) / 1e6 + 1e-6}MB`;
}

beforeAll(async () => {
  connection = await server.migrated();
  const folder = await mkdtemp(join(tmpdir(), 'toolsample-memory-'));
  await writeTinyPolicy(folder);
  policy = await importPolicyFolder(folder, artifacts);
  await rm(folder, { recursive: true });
});
afterAll(async () => {
  await connection.close();
});

async function started(run: string): Promise<void> {
  await scratchRun(connection.db, run, scratchSamples(16), CONFIG, policy);
}

let requests = 0;
async function set(run: string, settings: { readonly [key: string]: string | number }) {
  const asked = { run, request: `request-${++requests}`, by: 'ada', via: 'update' as const };
  return changeSettings({ db: connection.db, artifacts }, { ...asked, settings });
}

async function fork(run: string, of: string, settings: RunConfigInput): Promise<void> {
  const input = forkInput({ fork: { run: of, step: 0 }, ...settings });
  await prepareFork({ db: connection.db, artifacts }, run, input!);
}

const TOO_LITTLE = {
  code: 'config',
  message: expect.stringMatching(/memory_limit.*the limit is (?!0\.0).*raise it/),
};

it('a change after which no step could be computed is refused, and one within the limit is not', async () => {
  const run = 'changed';
  await started(run);
  await expect(set(run, { memory_limit: '1MB' })).rejects.toMatchObject(TOO_LITTLE);
  expect((await runStatus(connection.db, run)).settings).toEqual([]);
  await set(run, { memory_limit: needed(0) });
  // The pass of the reference needs memory of its own.
  await expect(set(run, { beta: 0.1 })).rejects.toMatchObject(TOO_LITTLE);
  await set(run, { beta: 0.1, memory_limit: needed(0.1) });
  await set(run, { memory_limit: 'none' });
});

it('a fork that could compute no step is refused', async () => {
  await started('parent');
  await expect(fork('small', 'parent', { memory_limit: '1MB' })).rejects.toMatchObject(TOO_LITTLE);
  expect(await findRun(connection.db, 'small')).toBeNull();
  await fork('enough', 'parent', { memory_limit: needed(0) });
});

it('a run that an older version let have too low a limit goes on as a fork with another one', async () => {
  const run = 'stuck';
  await started(run);
  const { db } = connection;
  await recordEvent(db, run, { event: 'request/old', kind: 'request', step: 0, message: 'set' });
  const change = { key: 'memoryLimit', from: 'auto', to: '1MB', fromStep: 1 };
  await insertSettingChanges(db, run, 'request/old', [change], []);
  await expect(fork('as-it-is', run, {})).rejects.toMatchObject(TOO_LITTLE);
  await fork('freed', run, { memory_limit: '4GB' });
  expect((await readRunAt(db, 'freed', 1)).config.memoryLimit).toBe('4GB');
});
