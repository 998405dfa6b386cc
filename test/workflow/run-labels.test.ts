import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareFork } from '../../activities/prepare-fork.ts';
import { connectToolsample, type ToolsampleClient } from '../../client.ts';
import { connect, type Connection as Database } from '../../db/connection.ts';
import { setRunState } from '../../db/runs.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { forkInput } from '../../services/configuration/fork-input.ts';
import { createHome, type Home } from '../chaos/toolsample-home.ts';
import { scratchRun, scratchSamples } from '../unit/support/scratch-run.ts';

let home: Home;
let toolsample: ToolsampleClient;
let database: Database;

beforeAll(async () => {
  home = await createHome('labels');
  toolsample = await connectToolsample({ home: home.path });
  database = connect(toolsample.services.databaseUrl);
});
afterAll(async () => {
  await database.close();
  await toolsample.close();
  await home.remove();
});

it('a fork that is resumed is shown with its own settings, not with those of its parent', async () => {
  const { db } = database;
  await scratchRun(db, 'parent', scratchSamples(12), { sampler: 'uniform', train_batch_size: 4 });
  const asked = forkInput({
    fork: { run: 'parent', step: 0 },
    sampler: 'dscl',
    num_generations: 16,
  });
  if (asked === null) throw new Error('no fork');
  const artifacts = await openFolderStore(toolsample.services.folder);
  await prepareFork({ db, artifacts }, 'fork', asked);
  await setRunState(db, 'fork', 'stopped', 'as asked');

  expect(await toolsample.resumeRun('fork')).toBe('running');
  const connection = await Connection.connect({ address: toolsample.services.temporal.address });
  const description = await new Client({ connection }).workflow.getHandle('fork').describe();
  expect(await description.staticSummary()).toBe(
    'fork of parent@0 (step 0): dscl on builtin, policy builtin',
  );
  const details = await description.staticDetails();
  expect(details).toContain('- sampler dscl,');
  expect(details).toContain('4 prompts a step, 16 completions each');
  await connection.close();
});
