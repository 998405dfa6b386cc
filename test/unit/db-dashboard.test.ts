import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordOutcome } from '../../activities/record-outcome.ts';
import { recordRequest } from '../../activities/record-request.ts';
import { studentHalf95 } from '../../contracts/confidence.ts';
import { SPARK_BINS } from '../../contracts/dashboard.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { Sample } from '../../contracts/sample.ts';
import { CATEGORIES, type Category } from '../../contracts/sampling.ts';
import { answersFrom, type Answers } from '../../dashboard/data/answers.ts';
import { commitCheckpoint } from '../../db/checkpoints.ts';
import { connect, type Connection } from '../../db/connection.ts';
import { commitEvaluation } from '../../db/evaluations.ts';
import { recordEvent } from '../../db/events.ts';
import { WORKER_PRESENCE } from '../../db/presence.ts';
import { runPulses } from '../../db/run-pulse.ts';
import { stepPoints } from '../../db/step-points.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import { takeStep } from './support/scratch-steps.ts';

const G = 8;
const STEPS = 6;
const SAMPLES = scratchSamples(30);
const SETTINGS = {
  trainBatchSize: 5,
  numGenerations: G,
  rolloutShardSize: 4,
  evalSchedule: 'none',
  sampling: { activationPatience: 1 },
  seed: 7,
} satisfies RunConfigInput;

const server = scratchServer();
let url: string;
let connection: Connection;
let worker: Connection;
let answers: Answers;
/** What every sample was after each step, as the statistics said then. */
const categoriesThen: Map<string, Category>[] = [];

beforeAll(async () => {
  url = await server.migratedDatabase();
  connection = connect(url);
  worker = connect(url, { presence: WORKER_PRESENCE });
  await worker.pool.query('select');
  answers = answersFrom(connection.db);
  await scratchRun(connection.db, 'empty', SAMPLES, SETTINGS);
  await scratchRun(connection.db, 'trained', SAMPLES, SETTINGS);
  for (let step = 1; step <= STEPS; step++) {
    await takeStep(connection, { run: 'trained', epoch: 1, step }, G);
    const { rows } = await connection.db.execute<{ sample_id: string; category: Category }>(
      sql`select sample_id, category from sample_statistics where run = 'trained'`,
    );
    categoriesThen.push(new Map(rows.map((row) => [row.sample_id, row.category])));
  }
}, 240_000);
afterAll(async () => {
  await worker.close();
  await connection.close();
});

describe('runs', () => {
  it('lists runs with and without steps', async () => {
    const [trained, empty] = await answers.runs();
    expect(trained).toMatchObject({
      run: 'trained',
      state: 'running',
      withoutWorker: false,
      step: STEPS,
      totalSteps: 18,
      seed: 7,
      heldOut: null,
      finishedAt: null,
    });
    expect(trained?.secondsLeft).toBeGreaterThanOrEqual(0);
    expect(trained?.rewards).toHaveLength(18);
    expect(trained?.rewards.slice(0, STEPS).every((reward) => reward !== null)).toBe(true);
    expect(trained?.rewards.slice(STEPS).every((reward) => reward === null)).toBe(true);
    expect(empty).toMatchObject({ run: 'empty', step: 0, secondsLeft: null, generatedTokens: 0 });
  });

  it('cuts a long run into parts of equal length for its spark line', async () => {
    await connection.db.execute(sql`update runs set total_steps = 240 where run = 'trained'`);
    const [trained] = await answers.runs();
    await connection.db.execute(sql`update runs set total_steps = 18 where run = 'trained'`);
    const points = await answers.steps('trained', 0);
    expect(trained?.rewards).toHaveLength(SPARK_BINS);
    const mean = points.slice(0, 4).reduce((sum, { reward }) => sum + reward, 0) / 4;
    expect(trained?.rewards[0]).toBeCloseTo(mean, 9);
    expect(trained?.rewards[2]).toBeNull();
  });

  it('tells the first and the last evaluation of the first split', async () => {
    for (const [step, exactMatch] of [
      [0, 0.25],
      [4, 0.5],
    ] as const) {
      await commitEvaluation(
        connection.db,
        { run: 'trained', step, split: 'heldout', epoch: 0 },
        {
          n: 30,
          exactMatch,
          exactMatchLow: exactMatch - 0.1,
          exactMatchHigh: exactMatch + 0.1,
          reward: 2,
          scoreFormat: 1,
          scoreName: 1,
          scoreKey: 1,
          scoreValue: 1,
          evaluationSeconds: 1,
        },
      );
    }
    expect((await answers.run('trained')).overview.heldOut).toEqual({
      split: 'heldout',
      n: 30,
      first: 0.25,
      last: 0.5,
      lastLow: 0.4,
      lastHigh: 0.6,
    });
  });
});

describe('a timeline', () => {
  it('has the slices of the cold start', async () => {
    const policy = { base: { sha256: 'a'.repeat(64), bytes: 1 }, weights: null, optimizer: null };
    for (const [slice, seconds] of [
      [1, 3],
      [2, 4],
    ] as const) {
      await commitCheckpoint(
        connection.db,
        { run: 'empty', step: 0, slice },
        { policy, optimizerSteps: 5, loss: 1, trainedTokens: 9, seconds },
        null,
      );
    }
    const { coldStart } = await answers.run('empty');
    expect(coldStart.map(({ seconds }) => seconds)).toEqual([3, 4]);
    const [first, second] = coldStart.map(({ committedAt }) => Date.parse(committedAt));
    expect(second).toBeGreaterThanOrEqual(first ?? Number.NaN);
    expect((await answers.run('trained')).coldStart).toEqual([]);
  });

  it('has the moment at which an event was recorded, not that at which its transaction began', async () => {
    const { begin } = await connection.db.transaction(async (tx) => {
      const { rows } = await tx.execute<{ begin: Date }>(sql`select now() as begin, pg_sleep(0.3)`);
      await recordEvent(tx, 'empty', { event: 'late', kind: 'note', message: 'late' });
      return { begin: new Date(rows[0]?.begin ?? Number.NaN) };
    });
    const late = (await answers.run('empty')).events.find(({ message }) => message === 'late');
    expect(Date.parse(late?.at ?? '') - begin.getTime()).toBeGreaterThanOrEqual(300);
  });
});

describe('steps', () => {
  it('gives each step with the interval of its mean reward, and only those after a step', async () => {
    const points = await answers.steps('trained', 0);
    expect(points.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await answers.steps('trained', 4)).toEqual(points.slice(4));
    for (const point of points) {
      const groups = await answers.groups('trained', point.step);
      const rewards = groups.map(({ reward }) => reward ?? Number.NaN);
      const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
      const variance =
        rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) / (rewards.length - 1);
      expect(point.reward).toBeCloseTo(mean, 9);
      const half = (studentHalf95(rewards.length) ?? 0) * Math.sqrt(variance / rewards.length);
      expect(point.rewardLow).toBeCloseTo(Math.max(-3, mean - half), 5);
      expect(point.rewardHigh).toBeCloseTo(Math.min(4, mean + half), 5);
      expect(point.groups).toBe(groups.length);
    }
  });

  it('gives two prompts the interval of two values, and one prompt none', async () => {
    const other = await server.migrated();
    for (const trainBatchSize of [1, 2]) {
      const run = `${trainBatchSize}`;
      const small = { ...SETTINGS, trainBatchSize, oversample: 1, maxBackfillRounds: 0 };
      await scratchRun(other.db, run, SAMPLES, small);
      await takeStep(other, { run, epoch: 1, step: 1 }, G);
    }
    await other.db.execute(sql`
      update groups set reward = 1 + 0.1 * rank, exact_match = 0.5 + 0.01 * rank where run = '2'`);
    await other.db.execute(
      sql`update steps set reward = 1.05, exact_match = 0.505 where run = '2'`,
    );
    const [one] = await stepPoints(other.db, '1', 0);
    const [two] = await stepPoints(other.db, '2', 0);
    await other.close();
    expect(one).toMatchObject({ rewardLow: null, rewardHigh: null, exactMatchLow: null });
    // Standard errors of 0.05 and 0.005, and 12.706 of them.
    expect(two?.rewardHigh).toBeCloseTo(1.05 + 12.706 * 0.05, 3);
    expect(two?.rewardLow).toBeCloseTo(1.05 - 12.706 * 0.05, 3);
    expect(two?.exactMatchHigh).toBeCloseTo(0.505 + 12.706 * 0.005, 3);
  });

  it('moves samples between categories exactly as the statistics did', async () => {
    const counts: { [category: string]: number } = Object.fromEntries(
      CATEGORIES.map((category) => [category, category === 'new' ? SAMPLES.length : 0]),
    );
    const points = await answers.steps('trained', 0);
    for (const [index, { moves }] of points.entries()) {
      for (const category of CATEGORIES)
        counts[category] = (counts[category] ?? 0) + moves[category];
      const then = [...(categoriesThen[index]?.values() ?? [])];
      for (const category of CATEGORIES) {
        const known =
          category === 'new'
            ? SAMPLES.length - then.length
            : then.filter((each) => each === category).length;
        expect([index, category, counts[category]]).toEqual([index, category, known]);
      }
    }
    expect(new Set(categoriesThen.at(-1)?.values()).size).toBeGreaterThan(1);
  });
});

describe('samples', () => {
  it('gives every visited sample with its visits, in the order that was asked for', async () => {
    const byImportance = await answers.samples('trained', 'importance', 100);
    const { rows } = await connection.db.execute<{ sample_id: string; visits: number }>(
      sql`select sample_id, visits from sample_statistics where run = 'trained'`,
    );
    expect(byImportance.corpusSamples).toBe(SAMPLES.length);
    expect(byImportance.visited).toBe(rows.length);
    const counted = new Map(byImportance.samples.map((each) => [each.sampleId, each.visits]));
    expect(counted).toEqual(new Map(rows.map((row) => [row.sample_id, row.visits])));
    const importances = byImportance.samples.map(({ importance }) => importance);
    expect(importances).toEqual(importances.toSorted((a, b) => b - a));
    const byId = (await answers.samples('trained', 'id', 3)).samples.map((each) => each.sampleId);
    expect(byId).toEqual(
      rows
        .map((row) => row.sample_id)
        .sort()
        .slice(0, 3),
    );
    for (const { kept, rewards, steps, visits } of byImportance.samples) {
      expect(kept.every((each) => each !== null)).toBe(true);
      expect(rewards).toHaveLength(steps.length);
      expect(visits).toBe(steps.length);
      expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    }
  });

  it('gives one sample with its task, and says when there is none', async () => {
    const [first] = (await answers.samples('trained', 'visits', 1)).samples;
    const detail = await answers.sample('trained', first?.sampleId ?? '');
    expect(detail.history).toEqual(first);
    expect(detail.groundTruth).toContain('<tool_call>');
    await expect(answers.sample('trained', 'nobody')).rejects.toThrow(/has not visited/);
    await expect(answers.samples('gone', 'id', 1)).rejects.toThrow(/there is no run "gone"/);
  });
});

describe('a task', () => {
  it('has its tools, and the calls of earlier turns, as texts that are cut', async () => {
    const [sample] = scratchSamples(1);
    const long = 'x'.repeat(30_000);
    const parameters = { type: 'object', properties: { room: { type: 'string' } } };
    const conversation: Sample = {
      ...sample!,
      id: 'conversation',
      messages: [
        { role: 'user', content: long },
        { role: 'assistant', content: '', calls: [{ name: 'look', parameters: { room: 'hall' } }] },
        { role: 'tool', content: '{"light": "on"}' },
        { role: 'assistant', content: 'and', calls: [{ name: 'dim', parameters: {} }] },
        { role: 'user', content: 'now off' },
      ],
      tools: [
        { name: 'dim', description: 'dims', parameters },
        { name: 'long', description: '', parameters: { long } },
      ],
    };
    const settings = { ...SETTINGS, trainBatchSize: 1 };
    const other = await server.migrated();
    const told = answersFrom(other.db);
    await scratchRun(other.db, 'conversing', [conversation], settings);
    await takeStep(other, { run: 'conversing', epoch: 1, step: 1 }, G);
    const detail = await told.sample('conversing', 'conversation');
    expect(detail.messages).toEqual([
      { role: 'user', content: `${long.slice(0, 20_000)}…` },
      {
        role: 'assistant',
        content: '<tool_call>\n{"name": "look", "parameters": {"room": "hall"}}\n</tool_call>',
      },
      { role: 'tool', content: '{"light": "on"}' },
      {
        role: 'assistant',
        content: 'and\n<tool_call>\n{"name": "dim", "parameters": {}}\n</tool_call>',
      },
      { role: 'user', content: 'now off' },
    ]);
    expect(detail.tools[0]).toEqual({
      name: 'dim',
      description: 'dims',
      parameters: '{"type": "object", "properties": {"room": {"type": "string"}}}',
    });
    expect(detail.tools[1]?.parameters).toHaveLength(20_001);
    const { messages, tools } = await told.group('conversing', 1, 0);
    expect({ messages, tools }).toEqual({ messages: detail.messages, tools: detail.tools });
    await other.close();
  });
});

describe('rollouts', () => {
  it('takes every reward apart so that it adds up, under the weights of the step', async () => {
    let compared = 0;
    for (const { rank, sampleId } of await answers.groups('trained', STEPS)) {
      const group = await answers.group('trained', STEPS, rank);
      expect(group.summary.sampleId).toBe(sampleId);
      expect(group.completions).toHaveLength(G);
      for (const { parts, reward, weightedReward, calls } of group.completions) {
        const all = parts === null ? [] : Object.values(parts);
        const points = all.reduce((sum, part) => sum + part.points, group.base);
        const weighted = all.reduce((sum, part) => sum + part.weightedPoints, group.base);
        expect(points).toBeCloseTo(reward ?? Number.NaN, 9);
        expect(weighted).toBeCloseTo(weightedReward ?? Number.NaN, 9);
        compared += calls?.length ?? 0;
      }
    }
    expect(compared).toBeGreaterThan(0);
    await expect(answers.group('trained', STEPS, 999)).rejects.toThrow(/no group 999/);
  });
});

describe('pulse', () => {
  it('beats for what happened to one run, and only for that run', async () => {
    const before = await runPulses(connection.db);
    expect(await runPulses(connection.db)).toEqual(before);
    const { db } = connection;
    await recordRequest(
      { db },
      {
        run: 'trained',
        request: 'r',
        by: 'ada',
        via: 'update',
        kind: 'pause',
        from: 'running',
        to: 'paused',
      },
    );
    const asked = await runPulses(db);
    await recordOutcome({ db }, { run: 'trained', state: 'paused', reason: '' });
    const paused = await runPulses(db);
    const texts = [before, asked, paused].map((pulses) => pulses.get('trained'));
    expect(new Set(texts).size).toBe(3);
    expect(paused.get('empty')).toBe(before.get('empty'));
  });
});

it('says nothing of the time left once no worker is there', async () => {
  await worker.close();
  worker = connect(url);
  await recordOutcome(connection, { run: 'trained', state: 'running', reason: '' });
  await expect
    .poll(async () => (await answers.run('trained')).overview)
    .toMatchObject({ state: 'running', withoutWorker: true, secondsLeft: null });
});

it('cannot write', async () => {
  const reader = connect(url, { readOnly: true });
  try {
    expect(await answersFrom(reader.db).runs()).toHaveLength(2);
    await expect(reader.pool.query(`delete from events`)).rejects.toThrow(/read-only transaction/);
  } finally {
    await reader.close();
  }
});
