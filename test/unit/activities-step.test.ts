import { drizzle } from 'drizzle-orm/node-postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { RunConfigInput } from '../../contracts/config.ts';
import { evaluationByTokens } from '../../contracts/evaluation-plan.ts';
import { SUB_TASKS } from '../../contracts/reward.ts';
import type { ActivityDependencies } from '../../activities/dependencies.ts';
import { filterGroups } from '../../activities/filter-groups.ts';
import { gradientStep } from '../../activities/gradient-step.ts';
import { markResumed } from '../../activities/mark-resumed.ts';
import { recordOutcome } from '../../activities/record-outcome.ts';
import { runPlan } from '../../activities/run-plan.ts';
import { scoreRewards } from '../../activities/score-rewards.ts';
import { selectBatch } from '../../activities/select-batch.ts';
import { updateCurriculum } from '../../activities/update-curriculum.ts';
import { policyAfter } from '../../db/checkpoints.ts';
import type { Connection } from '../../db/connection.ts';
import { findLearningState } from '../../db/curriculum.ts';
import { eventsOf } from '../../db/events.ts';
import { commitGradientStep } from '../../db/gradient-commit.ts';
import { groupsOfStep } from '../../db/groups.ts';
import { learningCurve } from '../../db/learning-curve.ts';
import { keptRollouts, rolloutsOfStep } from '../../db/rollouts.ts';
import { runOverviews } from '../../db/run-overview.ts';
import { runStatus } from '../../db/run-status.ts';
import { statisticsOf } from '../../db/sample-statistics.ts';
import { findRound, findStep } from '../../db/steps.ts';
import { hasSignal } from '../../dscl/filter.ts';
import { mean } from '../../dscl/moments.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRollouts, scratchRun, scratchSamples } from './support/scratch-run.ts';
import { once, takeStep, type Caller } from './support/scratch-steps.ts';

/** Seconds on an idle machine; the tests run beside others. */
const LONG = 240_000;
const G = 8;
/** A completion has 10 + its index tokens: 8 groups of 8 have 864. */
const TOKENS_A_STEP = 8 * G * 13.5;
const SAMPLES = scratchSamples(48);
const SMALL = {
  trainBatchSize: 8,
  numGenerations: G,
  oversample: 1.25,
  maxBackfillRounds: 2,
  rolloutShardSize: 4,
  evalSchedule: 'none',
} satisfies RunConfigInput;

const server = scratchServer();
let connection: Connection;

beforeAll(async () => {
  connection = await server.migrated();
});

afterAll(async () => {
  await connection.close();
});

/** As if a worker had died after committing, and two attempts then ran at the same time. */
const disturbed: Caller = async (activity) => {
  const first = await activity();
  const others = await Promise.all([activity(), activity()]);
  expect(others).toEqual([first, first]);
  return first;
};

/** Two attempts from the start, neither knowing of the other. */
const racing: Caller = async (activity) => {
  const [first, second] = await Promise.all([activity(), activity()]);
  expect(second).toEqual(first);
  return first;
};

async function steps(deps: Connection, run: string, count: number, call: Caller): Promise<void> {
  for (let each = 1; each <= count; each++) {
    await takeStep(deps, { run, epoch: Math.ceil(each / 6), step: each }, G, call);
  }
}

/** Every row of every table, without the columns that tell when and how long. */
async function allRows({ pool }: Connection): Promise<{ [table: string]: unknown[] }> {
  const { rows: columns } = await pool.query<{ table: string; columns: string }>(`
    select c.table_name as table, string_agg(quote_ident(c.column_name), ', ' order by c.ordinal_position) as columns
    from information_schema.columns c
    join information_schema.tables t using (table_schema, table_name)
    where c.table_schema = 'public' and t.table_type = 'BASE TABLE'
      and c.column_name !~ '(_at|_seconds)$'
    group by c.table_name`);
  const result: { [table: string]: unknown[] } = {};
  for (const each of columns) {
    const { rows } = await pool.query<{ row: string }>(
      `select (t)::text as row from (select ${each.columns} from "${each.table}") t order by 1`,
    );
    result[each.table] = rows.map(({ row }) => row);
  }
  return result;
}

test(
  'activities that run twice, or two at a time, leave the same rows',
  { timeout: LONG },
  async () => {
    const outcomes = [];
    for (const call of [once, disturbed, racing]) {
      const database = await server.migrated();
      await scratchRun(database.db, 'run', SAMPLES.slice(0, 30), {
        ...SMALL,
        trainBatchSize: 5,
        sampling: { activationPatience: 1 },
      });
      await steps(database, 'run', 4, call);
      outcomes.push(await allRows(database));
      await database.close();
    }
    const [undisturbed, ...others] = outcomes;
    expect(undisturbed?.['rollouts']?.length).toBeGreaterThan(4 * 7 * G);
    expect(undisturbed?.['rounds']?.length).toBeGreaterThan(4);
    expect(undisturbed?.['sample_statistics']?.length).toBeGreaterThan(15);
    for (const other of others) expect(other).toEqual(undisturbed);
  },
);

test(
  'an activity that dies at any of its statements, and runs again, leaves the same rows',
  { timeout: LONG },
  async () => {
    const outcomes = [];
    let deaths = 0;
    for (const dying of [false, true]) {
      const database = await server.migrated();
      await scratchRun(database.db, 'run', SAMPLES, {
        ...SMALL,
        sampling: { ablate: ['activation'] },
      });
      /** The same database, on which the statement that makes the countdown end is never sent. */
      let countdown = Infinity;
      const logQuery = (query: string): void => {
        // A transaction that never began is as good as the statement before it.
        if (!/^begin|^rollback/.test(query) && --countdown === 0) throw new Error('killed');
      };
      const mortal = { ...database, db: drizzle(database.pool, { logger: { logQuery } }) };
      await takeStep(mortal, { run: 'run', epoch: 1, step: 1 }, G, async (activity) => {
        if (!dying) return activity();
        for (let statement = 1; ; statement++) {
          countdown = statement;
          try {
            const result = await activity();
            countdown = Infinity;
            return result;
          } catch (error) {
            if (!/killed/.test(String(error))) throw error;
            deaths++;
          }
        }
      });
      outcomes.push(await allRows(database));
      await database.close();
    }
    expect(deaths).toBeGreaterThan(60);
    expect(outcomes[1]).toEqual(outcomes[0]);
  },
);

describe('a step', () => {
  const run = 'steps';

  beforeAll(async () => {
    await scratchRun(connection.db, run, SAMPLES, {
      ...SMALL,
      sampling: { activationPatience: 3 },
    });
    await steps(connection, run, 6, once);
  });

  test('reserves an oversampled batch first, and uses candidates only to replace dropped groups', async () => {
    const groups = await groupsOfStep(connection.db, { run, epoch: 1, step: 1 });
    const first = groups.filter(({ round }) => round === 0);
    expect(first).toHaveLength(10);
    expect(first.map(({ rank }) => rank)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(first.map(({ shard }) => shard)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
    // What was reserved and not needed is gone once the step has learned.
    expect(groups.every(({ state }) => state === 'kept' || state === 'dropped')).toBe(true);
    const backfilled = groups.filter(({ round }) => round !== null && round > 0);
    const keptFirst = first.filter(({ state }) => state === 'kept').length;
    expect(keptFirst).toBeLessThan(8);
    expect(backfilled.filter(({ round }) => round === 1)).toHaveLength(
      Math.ceil((8 - keptFirst) * 1.25),
    );
  });

  test('tells its reward, and how it varies, over all rounds', async () => {
    const key = { run, epoch: 1, step: 1 };
    const row = await findStep(connection.db, key);
    const groups = (await groupsOfStep(connection.db, key)).map(({ rewardStd }) => rewardStd ?? 0);
    const told = await gradientStep({ db: connection.db } as ActivityDependencies, key);
    expect(told.reward).toBe(row?.reward);
    expect(told.rewardStd).toBeCloseTo(mean(groups), 12);
    const first = await findRound(connection.db, { ...key, round: 0 });
    expect(told.rewardStd).not.toBeCloseTo(first?.rewardStd ?? 0, 3);
  });

  test('scores what is in the rows: sub-scores, both rewards, exact matches', async () => {
    const rows = await rolloutsOfStep(connection.db, { run, epoch: 1, step: 1 });
    for (const row of rows) {
      expect(row.completion).not.toContain('\0');
      expect(row.exactMatch).toBe(row.reward === 4);
      expect(row.scoreFormat).toBe(row.completion.startsWith('no idea') ? 0 : 1);
      // Version 0 has equal weights.
      expect(row.curriculumVersion).toBe(0);
      expect(row.weightedReward).toBe(row.reward);
    }
    const later = await rolloutsOfStep(connection.db, { run, epoch: 1, step: 6 });
    expect(later.some((row) => row.weightedReward !== row.reward)).toBe(true);
    expect(new Set(rows.map(({ exactMatch }) => exactMatch)).size).toBe(2);
  });

  test('keeps exactly the groups with signal, and trains on those', async () => {
    const key = { run, epoch: 1, step: 3 };
    const rows = await rolloutsOfStep(connection.db, key);
    const groups = await groupsOfStep(connection.db, key);
    for (const group of groups) {
      const rewards = rows
        .filter(({ rank }) => rank === group.rank)
        .map(({ weightedReward }) => weightedReward ?? Number.NaN);
      expect(rewards).toHaveLength(G);
      expect(group.state).toBe(hasSignal(rewards) ? 'kept' : 'dropped');
      expect(group.dropReason).toBe(hasSignal(rewards) ? null : 'zero-variance');
      expect(group.weightedRewardStd === 0).toBe(!hasSignal(rewards));
    }
    const kept = await keptRollouts(connection.db, key);
    const keptGroups = groups.filter(({ state }) => state === 'kept');
    expect(kept).toHaveLength(keptGroups.length * G);
    expect(kept.every(({ advantage }) => advantage !== null)).toBe(true);
    const dropped = rows.filter(({ rank }) => !keptGroups.some((group) => group.rank === rank));
    expect(dropped.length).toBeGreaterThan(0);
    expect(dropped.every(({ advantage }) => advantage === null)).toBe(true);
  });

  test('statistics, curriculum and metrics come from unweighted rewards of all its groups', async () => {
    const key = { run, epoch: 1, step: 5 };
    const rows = await rolloutsOfStep(connection.db, key);
    const row = await findStep(connection.db, key);
    const rewards = rows.map(({ reward }) => reward ?? Number.NaN);
    expect(row?.reward).toBeCloseTo(mean(rewards), 12);
    expect(row?.completions).toBe(rows.length);
    expect(row?.generatedTokens).toBe(rows.reduce((sum, each) => sum + each.completionTokens, 0));
    expect(row?.completionsClippedRatio).toBeCloseTo(1 / G, 12);
    expect(row?.gradNorm).toBeNaN();
    const groups = await groupsOfStep(connection.db, key);
    const known = await statisticsOf(
      connection.db,
      run,
      groups.map(({ sampleId }) => sampleId),
    );
    for (const { sampleId, reward, rank } of groups) {
      const statistics = known.get(sampleId);
      if (statistics?.lastStep !== 5) continue;
      expect(statistics.mean).toBeCloseTo(reward ?? Number.NaN, 12);
      const own = rows.filter((each) => each.rank === rank).map((each) => each.reward ?? 0);
      const centre = mean(own);
      const variance = own.reduce((sum, each) => sum + (each - centre) ** 2, 0) / (G - 1);
      expect(statistics.withinVariance).toBeCloseTo(variance, 12);
    }
    const state = await findLearningState(connection.db, run, 5);
    for (const task of SUB_TASKS) {
      expect(state?.curriculum.mastery[task]).toBeGreaterThan(0);
      expect(state?.curriculum.weights[task]).toBeGreaterThanOrEqual(0.5);
    }
  });

  test('dynamic sampling switches on after enough good batches, and not before', async () => {
    const { rows } = await connection.pool.query<{ step: number; active: boolean; reward: number }>(
      `select step, active, reward from steps where run = $1 order by step`,
      [run],
    );
    let streak = 0;
    let active = false;
    for (const each of rows) {
      expect(each.active).toBe(active);
      streak = each.reward > 1 ? streak + 1 : 0;
      active ||= streak >= 3;
    }
    expect(rows.some((each) => each.active)).toBe(true);
  });

  test('commits its epoch with the last step', async () => {
    const { rows } = await connection.pool.query(
      `select state, first_step, last_step, reward, generated_tokens from epochs where run = $1`,
      [run],
    );
    expect(rows).toMatchObject([{ state: 'completed', first_step: 1, last_step: 6 }]);
    const status = await runStatus(connection.db, run);
    expect(status).toMatchObject({ state: 'running', epoch: 1, step: 6, evaluations: [] });
    expect(status.generatedTokens).toBe(
      Number((rows[0] as { generated_tokens: string }).generated_tokens),
    );
    expect(status.lastStep?.step).toBe(6);
  });

  test('views tell the story', async () => {
    const curve = await learningCurve(connection.db, run);
    expect(curve.map((point) => point.step)).toEqual([1, 2, 3, 4, 5, 6]);
    const tokens = curve.map((point) => point.generatedTokens);
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    const visits = await connection.pool.query(
      `select visit, step from sample_lifecycle where run = $1 and sample_id =
        (select sample_id from sample_statistics where run = $1 order by visits desc, sample_id limit 1)`,
      [run],
    );
    expect(visits.rows.map((row: { visit: number }) => row.visit)).toEqual(
      visits.rows.map((_, index) => index + 1),
    );
    const mastery = await connection.pool.query(
      `select subtask, weight from subtask_mastery where run = $1 and step = 0`,
      [run],
    );
    expect(mastery.rows).toEqual(SUB_TASKS.map((subtask) => ({ subtask, weight: 1 })));
  });
});

test('a step drawn by importance trains on fewer groups rather than fill up with mastered samples', async () => {
  const run = 'nearly-mastered';
  await scratchRun(connection.db, run, SAMPLES.slice(0, 16), {
    ...SMALL,
    trainBatchSize: 12,
    sampling: { activationPatience: 1 },
  });
  await steps(connection, run, 2, once);
  const [shuffled, drawn] = await Promise.all(
    [1, 2].map((step) => groupsOfStep(connection.db, { run, epoch: 1, step })),
  );
  expect(shuffled).toHaveLength(16);
  expect((await findStep(connection.db, { run, step: 2 }))?.active).toBe(true);
  // The uniform share, a tenth of the twelve and what is oversampled, looks at two of the eight mastered ones again.
  const mastered = drawn?.filter(({ drawnImportance }) => drawnImportance === 0) ?? [];
  expect(mastered.map(({ round }) => round)).toEqual([0, 0]);
  expect((await findStep(connection.db, { run, step: 2 }))?.groups).toBe(drawn?.length);
  expect(drawn?.length).toBeLessThan(16);
  expect(drawn?.filter(({ state }) => state === 'kept').length).toBeLessThan(12);
});

test('without filtering every group is kept and nothing is backfilled', async () => {
  await scratchRun(connection.db, 'plain', SAMPLES, {
    ...SMALL,
    sampler: 'uniform',
    oversample: 1,
    maxBackfillRounds: 0,
  });
  await takeStep(connection, { run: 'plain', epoch: 1, step: 1 }, G);
  const groups = await groupsOfStep(connection.db, { run: 'plain', epoch: 1, step: 1 });
  expect(groups.map(({ state }) => state)).toEqual(Array.from({ length: 8 }, () => 'kept'));
});

test('a batch without any signal is skipped, and all mastered is said once', async () => {
  await scratchRun(connection.db, 'mastered', SAMPLES.slice(0, 12), {
    ...SMALL,
    trainBatchSize: 12,
  });
  for (const number of [1, 2]) {
    const key = { run: 'mastered', epoch: number, step: number };
    const { shards } = await selectBatch(connection, key);
    for (let shard = 0; shard < shards; shard++) {
      await scratchRollouts(connection.db, { ...key, round: 0, shard }, G, 'solved');
    }
    await scoreRewards(connection, { ...key, round: 0 });
    expect(await filterGroups(connection, { ...key, round: 0 })).toEqual({
      kept: 0,
      dropped: 12,
      backfillShards: 0,
    });
    await updateCurriculum(connection, key);
    const policy = await policyAfter(connection.db, 'mastered', number - 1);
    const row = await commitGradientStep(connection.db, key, { policy, update: null }, null);
    expect(row.state).toBe('skipped');
    expect(await policyAfter(connection.db, 'mastered', number)).toEqual(policy);
  }
  const events = await eventsOf(connection.db, 'mastered');
  expect(events.map(({ kind, step: at }) => ({ kind, at }))).toEqual([
    { kind: 'all_mastered', at: 1 },
  ]);
});

test('the step that spends the budget of tokens is the last one, of the run and of its epoch', async () => {
  const run = 'budget';
  await scratchRun(connection.db, run, SAMPLES, {
    ...SMALL,
    sampler: 'uniform',
    maxGeneratedTokens: 2 * TOKENS_A_STEP,
  });
  const stands = async () => {
    const { step, totalSteps, generatedTokens } = await runStatus(connection.db, run);
    return { step, totalSteps, generatedTokens };
  };
  await takeStep(connection, { run, epoch: 1, step: 1 }, G);
  // Planned are 18; what people see is how long the budget is likely to last.
  expect(await runPlan(connection.db, run)).toMatchObject({ totalSteps: 18 });
  expect(await stands()).toEqual({ step: 1, totalSteps: 2, generatedTokens: TOKENS_A_STEP });
  expect(await runOverviews(connection.db, [run])).toMatchObject([{ step: 1, totalSteps: 2 }]);
  await takeStep(connection, { run, epoch: 1, step: 2 }, G);
  expect(await stands()).toEqual({ step: 2, totalSteps: 2, generatedTokens: 2 * TOKENS_A_STEP });
  expect(await runPlan(connection.db, run)).toMatchObject({
    totalSteps: 2,
    epochs: 1,
    evaluateAt: [2],
    committedStep: 2,
  });
  const epoch = await connection.pool.query(`select state, last_step from epochs where run = $1`, [
    run,
  ]);
  expect(epoch.rows).toEqual([{ state: 'completed', last_step: 2 }]);
});

test('evaluations by tokens come after the same tokens, whatever a step costs', async () => {
  const run = 'by-tokens';
  await scratchRun(connection.db, run, SAMPLES, {
    ...SMALL,
    sampler: 'uniform',
    evalTokens: 1.5 * TOKENS_A_STEP,
  });
  const due: boolean[] = [];
  for (let step = 1; step <= 8; step++) {
    const key = { run, epoch: 1, step };
    await takeStep(connection, key, G);
    due.push((await runPlan(connection.db, run)).evaluateAt.includes(step));
  }
  // 1.5 steps' worth are reached in step 2, so step 3 is evaluated, which is at 3 then; 4.5 in step 5.
  expect(due).toEqual([false, false, true, false, false, true, false, false]);
  expect(evaluationByTokens(99, 0, 100)).toBe(false);
  expect(evaluationByTokens(100, 99, 100)).toBe(true);
  expect(evaluationByTokens(350, 110, 100)).toBe(true);
  expect(evaluationByTokens(350, 310, 100)).toBe(false);
  expect(evaluationByTokens(350, 0, 0)).toBe(false);
});

test('an activity out of order says so and writes nothing', async () => {
  await scratchRun(connection.db, 'order', SAMPLES, SMALL);
  const key = { run: 'order', epoch: 1, step: 1 };
  await expect(selectBatch(connection, { ...key, step: 2 })).rejects.toThrow(
    /step 1 .* not learned/,
  );
  const { shards } = await selectBatch(connection, key);
  await expect(scoreRewards(connection, { ...key, round: 0 })).rejects.toThrow(
    /0 of 80 completions/,
  );
  await expect(filterGroups(connection, { ...key, round: 0 })).rejects.toThrow(/not scored/);
  await expect(updateCurriculum(connection, key)).rejects.toThrow(/not filtered/);
  for (let shard = 0; shard < shards; shard++) {
    await scratchRollouts(connection.db, { ...key, round: 0, shard }, G);
  }
  await expect(updateCurriculum(connection, key)).rejects.toThrow(/not filtered/);
  expect(await findLearningState(connection.db, 'order', 1)).toBeNull();
});

test('outcomes: failed and stopped end a run, pausing and going on do not; a completed run stays completed', async () => {
  await scratchRun(connection.db, 'outcome', SAMPLES, SMALL);
  const record = (state: 'failed' | 'stopped' | 'paused' | 'running', reason: string) =>
    recordOutcome(connection, { run: 'outcome', state, reason });
  await record('paused', 'paused after step 0');
  expect(await runStatus(connection.db, 'outcome')).toMatchObject({
    state: 'paused',
    finishedAt: null,
  });
  await record('running', '');
  expect(await runStatus(connection.db, 'outcome')).toMatchObject({
    state: 'running',
    reason: null,
  });
  await record('failed', 'rollout: no memory\0');
  const failed = await runStatus(connection.db, 'outcome');
  expect(failed).toMatchObject({ state: 'failed', reason: 'rollout: no memory' });
  expect(failed.finishedAt).not.toBeNull();
  // Whoever starts it with another configuration is refused before it is set running.
  await record('stopped', 'the run "outcome" exists with another configuration');
  await record('running', '');
  expect(await runStatus(connection.db, 'outcome')).toEqual(failed);
  const events = await eventsOf(connection.db, 'outcome');
  expect(events.map(({ kind }) => kind)).toEqual(['paused', 'running', 'failed']);
  await markResumed(connection.db, 'outcome');
  await record('stopped', 'as asked');
  expect(await runStatus(connection.db, 'outcome')).toMatchObject({
    state: 'stopped',
    reason: 'as asked',
  });
  await connection.pool.query(`update runs set state = 'completed' where run = 'outcome'`);
  await record('failed', 'too late');
  expect((await runStatus(connection.db, 'outcome')).state).toBe('completed');
  // A run that failed before it came to be has nowhere to be recorded.
  await recordOutcome(connection, { run: 'nobody', state: 'failed', reason: 'x' });
});
