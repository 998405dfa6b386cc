import { readFile, writeFile } from 'node:fs/promises';
import {
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { ApplicationFailure } from '@temporalio/common';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { RUN_SIGNALS } from '../../contracts/temporal.ts';
import { bundleWorkflows, createHarness } from '../workflow/harness.ts';
import { SMALL_PLAN } from '../workflow/stand-in-activities.ts';

/*
 * Histories that a real server recorded are replayed against today's workflow code: a change that would break runs under
 * way shows here. After a change that is meant to break them, record anew:
 *
 *   TOOLSAMPLE_RECORD_HISTORIES=1 npx vitest run test/replay
 */
const FOLDER = new URL('../fixtures/histories/', import.meta.url);
/** Workflow ids under which they were recorded; a child's is part of what replay compares. */
const WORKFLOW_IDS = new Map([
  ['run-completed', 'run-1'],
  ['epoch-completed', 'run-1/epoch-1'],
  ['run-failed', 'run-2'],
]);
const RECORD = process.env.TOOLSAMPLE_RECORD_HISTORIES === '1';

let workflowBundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  if (RECORD) await record();
  else Runtime.install({ logger: new DefaultLogger('ERROR') });
  workflowBundle = await bundleWorkflows();
});

/** A run with everything in it: warm start, backfill, evaluations, a pause; and one that fails. */
async function record(): Promise<void> {
  const harness = await createHarness();
  const save = async (name: string, workflowId: string): Promise<void> => {
    const history = await harness.server.client.workflow.getHandle(workflowId).fetchHistory();
    // Stack traces name the recording machine's paths; replay does not look at them.
    const text = JSON.stringify(
      JSON.parse(historyToJSON(history)),
      (key, value: unknown) => (key === 'stackTrace' ? '' : value),
      1,
    );
    await writeFile(new URL(`${name}.json`, FOLDER), `${text}\n`);
  };
  try {
    const completed = await harness.runToEnd({
      plan: { ...SMALL_PLAN, searchAttributes: true },
      during: async (handle, calls) => {
        // The epoch is under way: it is told.
        await vi.waitUntil(() => calls.some(({ activity }) => activity === 'selectBatch'), 30_000);
        await handle.signal(RUN_SIGNALS.pause);
        await handle.signal(RUN_SIGNALS.continue);
      },
    });
    const id = completed.handle.workflowId;
    await save('run-completed', id);
    await save('epoch-completed', `${id}/epoch-1`);
    const failed = await harness.runToEnd({
      overrides: {
        gradientStep: async () => {
          throw ApplicationFailure.nonRetryable('loss is NaN', 'non-finite');
        },
      },
    });
    await save('run-failed', failed.handle.workflowId);
  } finally {
    await harness.server.stop();
  }
}

describe('recorded histories', () => {
  it.each([...WORKFLOW_IDS.keys()])('%s replays', async (name) => {
    const history: unknown = JSON.parse(await readFile(new URL(`${name}.json`, FOLDER), 'utf8'));
    await Worker.runReplayHistory({ workflowBundle }, history, WORKFLOW_IDS.get(name));
  });

  it('does not replay a history whose activities came in another order', async () => {
    const text = await readFile(new URL('epoch-completed.json', FOLDER), 'utf8');
    const swapped = text
      .replaceAll('"updateCurriculum"', '"placeholder"')
      .replaceAll('"gradientStep"', '"updateCurriculum"')
      .replaceAll('"placeholder"', '"gradientStep"');
    await expect(
      Worker.runReplayHistory({ workflowBundle }, JSON.parse(swapped), 'run-1/epoch-1'),
    ).rejects.toThrow(/[Nn]ondeterminism|does not match/);
  });
});
