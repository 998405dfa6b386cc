import { setTimeout as sleep } from 'node:timers/promises';
import type { RunConfigInput } from '../../contracts/config.ts';
import { ensureServices, inspectServices } from '../../services/services.ts';
import { engineAttempts, type EngineAttempts } from './engine-attempts.ts';
import { killPlan } from './kill-plan.ts';
import { differences, outcomeOf, type Outcome } from './outcome.ts';
import { startRecoveryClock, type Cost, type Hit, type RecoveryClock } from './recovery-clock.ts';
import { RUN, superviseRun, type SupervisedRun } from './supervised-run.ts';
import { OWN_ENVIRONMENT } from './toolsample-home.ts';

export interface ChaosReport {
  readonly seed: number;
  /** Processes killed. */
  readonly kills: number;
  readonly costs: readonly Cost[];
  /** Commands that were started until the run was complete; 1 without kills. */
  readonly starts: number;
  readonly seconds: number;
  /** From the undisturbed run; empty when all is the same. */
  readonly differences: readonly string[];
  /** Of a run that differs, kept to be looked at. */
  readonly kept: string | null;
}

/** The run that nobody disturbs. */
export async function undisturbedRun(config: RunConfigInput): Promise<Outcome> {
  const supervised = await superviseRun('undisturbed', config);
  try {
    await supervised.completed;
    return await outcomeIn(supervised.home);
  } finally {
    await supervised.remove();
  }
}

/**
 * The same run under a seeded sequence of SIGKILLs, compared with the undisturbed one.
 * @param kills processes to kill; fewer when the run completes before
 */
export async function chaosRun(
  config: RunConfigInput,
  expected: Outcome,
  { seed, kills }: { readonly seed: number; readonly kills: number },
): Promise<ChaosReport> {
  const begin = performance.now();
  const supervised = await superviseRun(`chaos-${seed}`, config);
  const engine = watchEngine(supervised.home);
  const clock = startRecoveryClock(async () => engine.underWay());
  let kept: string | null = supervised.home;
  try {
    const hits = await strike(supervised, clock, { seed, kills });
    const { starts } = await supervised.completed;
    await clock.stop();
    const lines = differences(expected, await outcomeIn(supervised.home));
    if (lines.length === 0) kept = null;
    return {
      seed,
      kills: hits.reduce((sum, { targets }) => sum + targets.length, 0),
      costs: clock.costs(hits),
      starts,
      seconds: (performance.now() - begin) / 1000,
      differences: lines,
      kept,
    };
  } finally {
    await clock.stop();
    await engine.close();
    await (kept === null ? supervised.remove() : supervised.halt());
  }
}

/** Kills as the seed has it until enough are dead or the run is complete. */
async function strike(
  supervised: SupervisedRun,
  clock: RecoveryClock,
  { seed, kills }: { readonly seed: number; readonly kills: number },
): Promise<Hit[]> {
  const hits: Hit[] = [];
  let left = kills;
  const ended = new AbortController();
  void supervised.completed.catch(() => undefined).then(() => ended.abort());
  for (const { moment, after, targets } of killPlan(seed)) {
    if (moment === 'computing') await clock.computingSince(hits.at(-1)?.at ?? 0, ended.signal);
    await sleep(after, undefined, { signal: ended.signal }).catch(() => undefined);
    if (ended.signal.aborted || left === 0) return hits;
    const hit = await supervised.hit(targets.slice(0, left));
    if (hit.length > 0) hits.push({ at: Date.now(), targets: hit });
    left -= hit.length;
  }
  return hits;
}

/** Looks at the run in a data folder, whose servers come and go; nothing is seen while they are away. */
function watchEngine(home: string): EngineAttempts {
  let found: EngineAttempts | null = null;
  return {
    async underWay() {
      const address = found === null ? await temporalAddress(home) : null;
      if (address !== null) found = engineAttempts(address, RUN);
      return (await found?.underWay()) ?? null;
    },
    close: async () => found?.close(),
  };
}

/** The address stays the same for the life of a data folder. */
async function temporalAddress(home: string): Promise<string | null> {
  const { temporal } = await inspectServices({ home, env: OWN_ENVIRONMENT });
  return temporal.state === 'running' ? temporal.address : null;
}

async function outcomeIn(home: string): Promise<Outcome> {
  const { databaseUrl } = await ensureServices({ home, env: OWN_ENVIRONMENT });
  return outcomeOf(databaseUrl, home, RUN);
}
