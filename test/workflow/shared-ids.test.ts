import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Connection as Database } from '../../db/connection.ts';
import { setRunState } from '../../db/runs.ts';
import { createServedHome, type ServedHome } from '../chaos/toolsample-home.ts';
import { scratchRun, scratchSamples } from '../unit/support/scratch-run.ts';

/*
 * Runs, experiments and evaluations under way that no worker has taken up: Postgres knows none of them.
 */

const MINUTE = 60_000;
const ASKED = { tokens: 900, samplers: ['uniform'], curricula: ['none'], seeds: 1 } as const;

let home: ServedHome;
let database: Database;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  home = await createServedHome('ids');
  const { databaseUrl, temporal } = home.toolsample.services;
  database = connect(databaseUrl);
  connection = await Connection.connect({ address: temporal.address });
  client = new Client({ connection });
  await home.toolsample.startRun({ run: 'the-run' });
  await home.toolsample.startExperiment({ experiment: 'the-experiment', asked: ASKED });
  await evaluate('the-evaluation');
}, 2 * MINUTE);

afterAll(async () => {
  await connection.close();
  await database.close();
  await home.remove();
}, MINUTE);

const evaluate = async (evaluation: string) =>
  home.toolsample.startEvaluation({ policy: 'builtin', suite: import.meta.filename, evaluation });

const STARTS: { readonly [kind: string]: (id: string) => Promise<unknown> } = {
  run: async (run) => home.toolsample.startRun({ run }),
  experiment: async (experiment) => home.toolsample.startExperiment({ experiment, asked: ASKED }),
  evaluation: evaluate,
};
const STOPS: { readonly [kind: string]: (id: string) => Promise<unknown> } = {
  run: async (run) => home.toolsample.interrupt(run),
  'run at once': async (run) => home.toolsample.cutOff(run),
  experiment: async (experiment) => home.toolsample.stopExperiment(experiment),
  evaluation: async (evaluation) => home.toolsample.stopEvaluation(evaluation),
};
const KINDS = [
  ['the-run', 'a run'],
  ['the-experiment', 'an experiment'],
  ['the-evaluation', 'an evaluation'],
] as const;
const others = (names: readonly string[]) =>
  KINDS.flatMap(([id, kind]) =>
    names
      .filter((name) => id !== `the-${name.split(' ')[0] ?? ''}`)
      .map((name) => ({ id, kind, name })),
  );

/** What has happened to a workflow, such as a signal or a wish to cancel it. */
async function events(id: string): Promise<number> {
  return (await client.workflow.getHandle(id).fetchHistory()).events?.length ?? 0;
}

describe('an id that is no name', () => {
  it.each(Object.entries(STARTS))('becomes no %s', async (kind, start) => {
    const message = `is no name for ${kind === 'run' ? 'a' : 'an'} ${kind}`;
    for (const id of ['', 'a b', '..', 'r1@0', 'latest', 'x'.repeat(1100)])
      await expect(start(id)).rejects.toMatchObject({
        code: 'config',
        message: expect.stringContaining(message),
      });
  });

  it('stays that of a run that has it', async () => {
    const { db } = database;
    await scratchRun(db, 'an old one', scratchSamples(12), {});
    await setRunState(db, 'an old one', 'stopped', 'as asked');
    expect(await home.toolsample.resumeRun('an old one')).toBe('running');
    expect(await home.toolsample.startRun({ run: 'an old one' })).toEqual({ run: 'an old one' });
    const other = home.toolsample.startRun({ run: 'an old one', config: { seed: 99 } });
    await expect(other).rejects.toThrow(
      "exists with another configuration — choose another name, or go on with it: toolsample resume 'an old one'",
    );
  });
});

describe('an id that something else has', () => {
  it.each(others(Object.keys(STARTS)))('$id becomes no $name', async ({ id, kind, name }) => {
    const before = await events(id);
    await expect(STARTS[name]?.(id)).rejects.toMatchObject({
      code: 'config',
      message: `"${id}" is ${kind} — choose another name`,
    });
    expect(await events(id)).toBe(before);
  });

  it.each(others(Object.keys(STOPS)))(
    '$id is not stopped as a $name',
    async ({ id, kind, name }) => {
      const before = await events(id);
      await expect(STOPS[name]?.(id)).rejects.toThrow(`"${id}" is ${kind}`);
      expect(await events(id)).toBe(before);
    },
  );

  it('is started again, and stopped, as what it is', async () => {
    for (const [id] of KINDS) await STARTS[id.replace('the-', '')]?.(id);
    for (const [id] of KINDS) await STOPS[id.replace('the-', '')]?.(id);
    for (const [id] of KINDS) {
      expect(await events(id)).toBeGreaterThan(2);
      expect((await client.workflow.getHandle(id).describe()).status.name).toBe('RUNNING');
    }
  });

  it('is known after Temporal has forgotten it, and becomes no fork either', async () => {
    const { db } = database;
    await scratchRun(db, 'forgotten', scratchSamples(12), {});
    await setRunState(db, 'forgotten', 'stopped', 'as asked');
    for (const start of ['experiment', 'evaluation'])
      await expect(STARTS[start]?.('forgotten')).rejects.toThrow('"forgotten" is a run');
    await expect(
      home.toolsample.forkRun({ of: 'forgotten', at: { step: 0 }, run: 'the-experiment' }),
    ).rejects.toThrow('"the-experiment" is an experiment');
    expect(await home.toolsample.resumeRun('forgotten')).toBe('running');
  });
});
