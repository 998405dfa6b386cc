import { asc, eq, max } from 'drizzle-orm';
import { AT_ONCE } from '../contracts/changeability.ts';
import type { RunConfig } from '../contracts/config.ts';
import type { JsonValue } from '../contracts/json.ts';
import type { SettingChange } from '../contracts/requests.ts';
import type { Database } from './connection.ts';
import { readRun, type RunRow } from './runs.ts';
import { runs, settingChanges } from './schema/runs.ts';
import { steps } from './schema/steps.ts';

/** The changes to a run's settings, in their order. */
export async function settingChangesOf(
  db: Database,
  run: string,
): Promise<(SettingChange & { readonly event: string })[]> {
  const rows = await db
    .select()
    .from(settingChanges)
    .where(eq(settingChanges.run, run))
    .orderBy(asc(settingChanges.ordinal));
  return rows.map(({ key, valueBefore, value, fromStep, event }) => ({
    key,
    from: valueBefore,
    to: value,
    fromStep,
    event,
  }));
}

/**
 * A run with the configuration that holds at a step: the same for every attempt, because changes only ever hold from a step on
 * that is not selected yet; but for those that hold {@link AT_ONCE}, which decide nothing of what a step computes.
 *
 * @param step - 0: of the cold start
 * @throws ToolsampleError `not-found`
 */
export async function readRunAt(db: Database, run: string, step: number): Promise<RunRow> {
  const row = await readRun(db, run);
  const configAt = historyOf(row.config, await settingChangesOf(db, run));
  return { ...row, config: configAt(step) };
}

/** The configuration of each of a run's steps, as {@link readRunAt} has it. */
export async function configHistory(
  db: Database,
  run: string,
): Promise<(step: number) => RunConfig> {
  const { config } = await readRun(db, run);
  return historyOf(config, await settingChangesOf(db, run));
}

function historyOf(
  config: RunConfig,
  changes: readonly SettingChange[],
): (step: number) => RunConfig {
  return (step) =>
    changed(
      config,
      changes.filter(({ key, fromStep }) => fromStep <= step || AT_ONCE.includes(key)),
    );
}

/** The first step of a run that is not selected yet. Holds for as long as the run is locked. */
export async function nextUnselectedStep(tx: Database, run: string): Promise<number> {
  const [row] = await tx
    .select({ step: max(steps.step) })
    .from(steps)
    .where(eq(steps.run, run));
  return (row?.step ?? 0) + 1;
}

/** Stores changes behind those that are there, and the evaluations that follow from them. To be called with the run locked. */
export async function insertSettingChanges(
  tx: Database,
  run: string,
  event: string,
  changes: readonly SettingChange[],
  evaluateAt: readonly number[],
): Promise<void> {
  const { length } = await settingChangesOf(tx, run);
  await tx.insert(settingChanges).values(
    changes.map(({ key, from, to, fromStep }, i) => ({
      run,
      ordinal: length + i,
      key,
      valueBefore: from,
      value: to,
      fromStep,
      event,
    })),
  );
  await tx
    .update(runs)
    .set({ evaluateAt: [...evaluateAt] })
    .where(eq(runs.run, run));
}

/** A configuration with other values at some paths, `section.key` at most. */
function changed(
  config: RunConfig,
  changes: readonly { readonly key: string; readonly to: JsonValue }[],
): RunConfig {
  const result: { [key: string]: unknown } = { ...config };
  for (const { key, to } of changes) {
    const [section = key, inner] = key.split('.');
    result[section] = inner === undefined ? to : { ...(result[section] as object), [inner]: to };
  }
  // Each value was checked against the schema before it was stored.
  return result as unknown as RunConfig;
}
