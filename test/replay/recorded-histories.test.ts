import { DefaultLogger, Runtime, type WorkflowBundle } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { ownWorkflows } from '../workflow/harness.ts';
import { parseHistory, recordedHistories, replay } from './histories.ts';

/*
 * Histories that a real server recorded of earlier versions are replayed against today's workflow code: a change that would
 * break runs under way shows here, with the name of the workflow.
 */
const HISTORIES = await recordedHistories();

let workflowBundle: WorkflowBundle;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  workflowBundle = await ownWorkflows();
});

describe('recorded histories', () => {
  it.each(HISTORIES)('$name replays ($workflowType)', async (recorded) => {
    await replay(workflowBundle, recorded);
  });

  it('cover every workflow, to its end, cut off in the middle, and steered by updates', () => {
    const seen = HISTORIES.map(
      ({ name, workflowType }) => `${workflowType} ${name.split('-').at(-1)}`,
    );
    for (const type of ['trainingRun', 'trainingEpoch']) {
      expect(seen).toContain(`${type} completed`);
      expect(seen).toContain(`${type} unfinished`);
      expect(seen).toContain(`${type} steered`);
      expect(seen).toContain(`${type} cancelled`);
    }
    for (const end of ['completed', 'unfinished', 'cancelled'])
      expect(seen).toContain(`policyEvaluation ${end}`);
    for (const end of ['completed', 'failed', 'cancelled'])
      expect(seen).toContain(`experiment ${end}`);
  });

  it.each(
    HISTORIES.filter(
      ({ workflowType, history }) =>
        // Not those that were cut off before.
        workflowType === 'trainingEpoch' && JSON.stringify(history).includes('"updateCurriculum"'),
    ),
  )(
    'a change of the order of activities is told with the name of the workflow, by $name',
    async ({ name, history }) => {
      const swapped = JSON.stringify(history)
        .replaceAll('"updateCurriculum"', '"placeholder"')
        .replaceAll('"gradientStep"', '"updateCurriculum"')
        .replaceAll('"placeholder"', '"gradientStep"');
      await expect(replay(workflowBundle, parseHistory(name, swapped))).rejects.toThrow(
        new RegExp(
          `^trainingEpoch has changed .* does not replay ${name} .*[Nn]ondeterminism`,
          's',
        ),
      );
    },
  );
});
