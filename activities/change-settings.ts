import type { LightActivities, RecordedRequest } from '../contracts/activities.ts';
import { AT_ONCE } from '../contracts/changeability.ts';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { SettingChange } from '../contracts/requests.ts';
import { findEvent } from '../db/events.ts';
import { insertRequest, requestEvent } from '../db/requests.ts';
import { lockRun, type RunRow } from '../db/runs.ts';
import {
  insertSettingChanges,
  nextUnselectedStep,
  readRunAt,
  settingChangesOf,
} from '../db/setting-changes.ts';
import { changedConfig } from '../services/configuration/change.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { checkChangedRun } from './memory-check.ts';
import { runSchedule } from './run-schedule.ts';

/**
 * Changes settings of a run under way, from the first step on that is not selected yet (some at once). The request is checked, stored and
 * recorded in one transaction, which no step's selection can overlap: a step has one configuration, whoever runs it again.
 *
 * @throws ToolsampleError `config` for a key that is unknown, out of range or cannot change, and where a step would need more than its
 *   `memory_limit`; `refused` when nothing would change
 */
export async function changeSettings(
  { db, artifacts }: Pick<ActivityDependencies, 'db' | 'artifacts'>,
  input: Parameters<LightActivities['changeSettings']>[0],
): Promise<RecordedRequest & { readonly changes: readonly SettingChange[] }> {
  const { run, settings } = input;
  return db.transaction(async (tx) => {
    const row = await lockRun(tx, run);
    const event = requestEvent(input);
    const recorded = await findEvent(tx, run, event);
    if (recorded !== null) {
      const stored = (await settingChangesOf(tx, run)).filter((change) => change.event === event);
      return {
        step: recorded.step ?? 0,
        changes: stored.map(({ event: _event, ...change }) => change),
      };
    }
    const fromStep = await nextUnselectedStep(tx, run);
    const { config } = await readRunAt(tx, run, fromStep);
    const { config: next, paths, changes: changed } = changedConfig(config, settings, 'live');
    const changes = changed.map((change) => ({ ...change, fromStep }));
    if (changes.length === 0) {
      throw new ToolsampleError('refused', `${paths.join(', ')}: already so`, {
        hint: '`toolsample status` shows what was changed',
      });
    }
    if (fromStep > row.totalSteps && changes.some(({ key }) => !AT_ONCE.includes(key))) {
      throw new ToolsampleError('refused', `run "${run}" has no step left that could have it`);
    }
    await checkChangedRun({ db: tx, artifacts }, run, next);
    const step = await insertRequest(tx, {
      ...input,
      kind: 'set',
      from: Object.fromEntries(changes.map(({ key, from }) => [key, from])),
      to: Object.fromEntries(changes.map(({ key, to }) => [key, to])),
    });
    const evaluateAt =
      fromStep > row.totalSteps ? row.evaluateAt : evaluationsFrom(fromStep, row, next);
    await insertSettingChanges(tx, run, event, changes, evaluateAt);
    return { step, changes };
  });
}

/** Evaluations of the steps before stay as they were planned. */
function evaluationsFrom(step: number, run: RunRow, config: RunConfig): number[] {
  const { evaluateAt } = runSchedule(config, run.corpusSamples);
  return [
    ...run.evaluateAt.filter((each) => each < step),
    ...evaluateAt.filter((each) => each >= step),
  ];
}
