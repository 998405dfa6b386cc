import { isDeepStrictEqual } from 'node:util';
import { sql } from 'drizzle-orm';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { originAt, originText } from '../contracts/fork.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { SettingChange } from '../contracts/requests.ts';
import { jsonSha256 } from '../db/canonical-json.ts';
import type { Database } from '../db/connection.ts';
import { findEvent, recordEvent } from '../db/events.ts';
import { findForkPoint } from '../db/fork-points.ts';
import { copySteps, insertFork, setForkPlan, shareCheckpoints, type Fork } from '../db/forks.ts';
import { makeSums } from '../db/importance-sums.ts';
import { findRun, readRun, type RunRow } from '../db/runs.ts';
import { configHistory, insertSettingChanges, readRunAt } from '../db/setting-changes.ts';
import { generatedTokensUpTo } from '../db/steps.ts';
import { changedConfig } from '../services/configuration/change.ts';
import type { ForkInput } from '../services/configuration/fork-input.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { importanceHalfLife } from './importance-half-life.ts';
import { markResumed } from './mark-resumed.ts';
import { checkChangedRun } from './memory-check.ts';
import { rebuildStatistics } from './rebuild-statistics.ts';
import { runSchedule, type RunSchedule } from './run-schedule.ts';

/**
 * Makes a run ready that goes on from what another one, in whatever state, had after a step: all rows in one transaction, which holds up
 * nobody but for its last moment. The parent is only read. A fork that exists already goes on where it was.
 *
 * @throws ToolsampleError `not-found` when there is no such run, or it has no such state or no longer; `config` for settings that are
 *   wrong, that a fork cannot change or that need more than its `memory_limit`, and when the id belongs to another run
 */
export async function prepareFork(
  { db, artifacts }: Pick<ActivityDependencies, 'db' | 'artifacts'>,
  run: string,
  input: ForkInput,
): Promise<void> {
  const existing = await findRun(db, run);
  if (existing !== null) {
    await requireSame(db, existing, input);
    return markResumed(db, run);
  }
  const parent = await readRun(db, input.asked.run);
  const step = await findForkPoint(db, parent, input.at);
  const fork: Fork = { run, parent: parent.run, step };
  await db.transaction(async (tx) => {
    // Two attempts at once: the second waits, and finds the fork of the first.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${run}, 0))`);
    if ((await findRun(tx, run)) !== null) return;
    const from = await insertFork(tx, fork, jsonSha256(parent.config));
    const { config } = await changeSettings(tx, fork, from, input);
    await checkChangedRun({ db: tx, artifacts }, parent.run, config);
    await copySteps(tx, fork);
    await rebuildStatistics(tx, {
      of: { ...from, run },
      step,
      configAt: await configHistory(tx, run),
      sampler: config.sampler,
      ablate: config.sampling.ablate,
    });
    const { corpusSamples, selection } = from;
    if (selection === 'sums') {
      const halfLife = importanceHalfLife({ config, corpusSamples });
      await makeSums(tx, { run, corpusSamples, halfLife });
    }
    await shareCheckpoints(tx, fork, from);
  });
  const created = await findRun(db, run);
  if (created === null) throw new Error('a fork that was just created could not be read');
  await requireSame(db, created, input);
}

/** Gives the fork the settings it changes, from its first step on, and what follows from them. */
async function changeSettings(
  tx: Database,
  { run, parent, step }: Fork,
  from: RunRow,
  { asked, settings }: ForkInput,
): Promise<{ readonly config: RunConfig }> {
  const fromStep = step + 1;
  const before = (await readRunAt(tx, run, fromStep)).config;
  const { config, changes } = changedConfig(before, settings, 'fork');
  const schedule = await forkSchedule(tx, from, step, config);
  requireSteps(from, step, schedule, Object.keys(settings).length === 0);
  const evaluateAt = [
    ...from.evaluateAt.filter((each) => each <= step),
    ...schedule.evaluateAt.filter((each) => each > step),
  ];
  const { epochs, totalSteps } = schedule;
  const { sampler, curriculum } = config;
  await setForkPlan(tx, run, { epochs, totalSteps, evaluateAt, sampler, curriculum });
  const event = forkEvent(parent, step);
  const set = changes.map((change): SettingChange => ({ ...change, fromStep }));
  const names = set.map(({ key }) => key).join(', ');
  await recordEvent(tx, run, {
    event,
    kind: 'forked',
    step,
    message:
      `fork of ${originText(originAt(parent, step, from.stepsPerEpoch))}` +
      (names === '' ? '' : `, with another ${names}`),
    details: {
      run: parent,
      step,
      by: asked.by ?? 'unknown',
      settings: settings as JsonObject,
      from: Object.fromEntries(set.map((change) => [change.key, change.from])),
      to: Object.fromEntries(set.map((change) => [change.key, change.to])),
    },
  });
  if (set.length > 0) await insertSettingChanges(tx, run, event, set, evaluateAt);
  return { config };
}

/** Unique among the events that a fork of a fork takes over. */
function forkEvent(parent: string, step: number): string {
  return `forked/${parent}@${step}`;
}

/** A fork's schedule, and the setting that ends it. */
interface ForkSchedule extends RunSchedule {
  readonly limit: 'max_steps' | 'num_train_epochs' | 'max_generated_tokens';
}

/** As long as the settings say, or over already where the parent has spent the fork's budget of tokens. */
async function forkSchedule(
  tx: Database,
  parent: RunRow,
  step: number,
  config: RunConfig,
): Promise<ForkSchedule> {
  const { maxGeneratedTokens, maxSteps } = config;
  const schedule = {
    ...runSchedule(config, parent.corpusSamples),
    limit: maxSteps >= 0 ? 'max_steps' : 'num_train_epochs',
  } as const;
  if (maxGeneratedTokens < 0) return schedule;
  const spent = await generatedTokensUpTo(tx, parent.run, step);
  if (spent < maxGeneratedTokens) return schedule;
  const epochs = Math.ceil(step / schedule.stepsPerEpoch);
  return { ...schedule, totalSteps: step, epochs, limit: 'max_generated_tokens' };
}

/** A step of its own, or nothing but a copy of a run that has come to its end: no setting would have an effect there. */
function requireSteps(
  parent: RunRow,
  step: number,
  { totalSteps, limit }: ForkSchedule,
  plain: boolean,
): void {
  if (totalSteps > step || (plain && totalSteps === step && totalSteps === parent.totalSteps))
    return;
  throw new ToolsampleError(
    'config',
    `the fork would have ${totalSteps} steps, of which run "${parent.run}" has done ${step}`,
    { hint: `raise ${limit}, or fork at an earlier step` },
  );
}

/** @throws ToolsampleError `config` when a run of that id is anything but this very fork */
async function requireSame(
  db: Database,
  { run, forkOf, forkStep, stepsPerEpoch }: RunRow,
  { asked, settings }: ForkInput,
): Promise<void> {
  if (forkOf !== asked.run || forkStep === null) throw taken(run);
  const here = asked.step ?? (asked.epoch ?? 0) * stepsPerEpoch;
  // An epoch may have been cut short by the end of the parent.
  const samePoint =
    forkStep === here ||
    (asked.epoch !== undefined && Math.ceil(forkStep / stepsPerEpoch) === asked.epoch);
  const event = await findEvent(db, run, forkEvent(forkOf, forkStep));
  if (!samePoint || !isDeepStrictEqual(event?.details?.['settings'], settings)) throw taken(run);
}

function taken(run: string): ToolsampleError {
  return new ToolsampleError('config', `run "${run}" exists, and is another one`, {
    hint: 'choose another name',
  });
}
