import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ActivityDependencies } from '../../activities/dependencies.ts';
import { exportPolicy } from '../../activities/export-policy.ts';
import { finishEvaluation } from '../../activities/finish-evaluation.ts';
import { prepareEvaluation } from '../../activities/prepare-evaluation.ts';
import type { ExportKey, ExportSummary } from '../../contracts/activities.ts';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import type { PolicyEngine, PolicyRef } from '../../contracts/policy.ts';
import type { EvaluationAsked } from '../../contracts/suite-evaluation.ts';
import { commitCheckpoint } from '../../db/checkpoints.ts';
import type { Connection } from '../../db/connection.ts';
import { readRun } from '../../db/runs.ts';
import { readSuiteEvaluation } from '../../db/suite-evaluations.ts';
import { checkedEvaluation } from '../../evaluation/checked-input.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import {
  flushFolder,
  replaceFolder,
  withUnfinishedFolder,
} from '../../services/replaced-folder.ts';
import { gate } from './support/gate.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const SAMPLES = scratchSamples(4);
const FIXTURES = fileURLToPath(new URL('../fixtures/bfcl', import.meta.url));

const server = scratchServer();
let connection: Connection;
let artifacts: ArtifactStore;
let home: string;
let run: string;
let runs = 0;

beforeAll(async () => {
  connection = await server.migrated();
  home = await mkdtemp(join(tmpdir(), 'toolsample-export-'));
  artifacts = await openFolderStore({
    artifacts: join(home, 'artifacts'),
    temporary: join(home, 'tmp'),
  });
}, 120_000);
afterAll(async () => {
  await connection.close();
  await rm(home, { recursive: true, force: true });
});
beforeEach(async () => {
  run = `run-${++runs}`;
  await scratchRun(connection.db, run, SAMPLES, {});
});

async function train(step: number): Promise<void> {
  const put = async (part: string) =>
    artifacts.put(new TextEncoder().encode(`${run} ${step} ${part}`));
  const policy: PolicyRef = {
    base: { sha256: 'a'.repeat(64), bytes: 1 },
    weights: await put('w'),
    optimizer: await put('o'),
  };
  const numbers = { optimizerSteps: 1, loss: 1, trainedTokens: 1, seconds: 1 };
  await commitCheckpoint(connection.db, { run, step, slice: 0 }, { policy, ...numbers }, artifacts);
}

/** An attempt that writes the policy's weights as they are; frozen before it does where `begun` waits. */
async function attempt(
  asked: Pick<ExportKey, 'step' | 'stopped'>,
  begun: () => Promise<void> = async () => undefined,
  environment = new MockActivityEnvironment(),
): Promise<ExportSummary> {
  const write: PolicyEngine['export'] = async ({ weights }, _trainable, folder) => {
    await begun();
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'model.safetensors'), await artifacts.get(weights!));
    return { sha256: weights!.sha256 };
  };
  const deps = {
    db: connection.db,
    artifacts,
    engine: async () => ({ export: write }) as PolicyEngine,
    dataFolder: home,
  } as unknown as ActivityDependencies;
  const activity = async (): Promise<ExportSummary> =>
    exportPolicy(deps, { run, epoch: 1, ...asked });
  return environment.run<[], ExportSummary, typeof activity>(activity);
}

async function exported(): Promise<string> {
  return readFile(join(home, 'runs', run, 'policy', 'model.safetensors'), 'utf8');
}

/** The name under which a process has an unfinished export. */
function leftover(pid: number): string {
  return `.policy.${pid}-${'0a'.repeat(8)}`;
}

/** What the run's row tells of its policy is what lies there. */
async function expectExported(step: number): Promise<void> {
  expect(await exported()).toBe(`${run} ${step} w`);
  const { sha256 } = await artifacts.put(new TextEncoder().encode(`${run} ${step} w`));
  expect(await readRun(connection.db, run)).toMatchObject({
    policySha256: sha256,
    policyStep: step,
    policyFolder: join(home, 'runs', run, 'policy'),
  });
  expect(await readdir(join(home, 'runs', run))).toEqual(['policy']);
}

describe('the policy that a run leaves', () => {
  it('is for its owner alone, and replaces that of an earlier stop', async () => {
    await train(1);
    await attempt({ step: 1, stopped: true });
    await expectExported(1);
    expect((await readRun(connection.db, run)).state).toBe('running');
    await train(2);
    const summary = await attempt({ step: 2 });
    await expectExported(2);
    const { state, policySha256 } = await readRun(connection.db, run);
    expect(state).toBe('completed');
    expect(await attempt({ step: 2 })).toEqual(summary);
    expect(summary.policySha256).toBe(policySha256);
    expect((await stat(summary.folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(summary.folder, 'model.safetensors'))).mode & 0o777).toBe(0o600);
  });

  it('stays what it is when an attempt wakes after the run has completed', async () => {
    await train(1);
    const late = gate();
    const first = attempt({ step: 1, stopped: true }, late.pass);
    await late.reached();
    await attempt({ step: 1, stopped: true });
    await train(2);
    const completed = await attempt({ step: 2 });
    late.open();
    expect(await first).toEqual(completed);
    await expectExported(2);
  });

  it('is not put back when an attempt wakes after the run has gone on', async () => {
    await train(1);
    const late = gate();
    const first = attempt({ step: 1, stopped: true }, late.pass);
    await late.reached();
    await train(2);
    await attempt({ step: 2, stopped: true });
    late.open();
    await expect(first).rejects.toMatchObject({ code: 'refused' });
    await expectExported(2);
  });

  it('is the same by two attempts at a time', async () => {
    await train(1);
    const [one, two] = [gate(), gate()];
    const both = [attempt({ step: 1 }, one.pass), attempt({ step: 1 }, two.pass)];
    await Promise.all([one.reached(), two.reached()]);
    one.open();
    two.open();
    const [first, second] = await Promise.all(both);
    expect(second).toEqual(first);
    await expectExported(1);
  });

  it('is not written by an attempt that was cancelled', async () => {
    await train(1);
    const late = gate();
    const environment = new MockActivityEnvironment();
    const cancelled = attempt({ step: 1 }, late.pass, environment);
    await late.reached();
    environment.cancel();
    late.open();
    await expect(cancelled).rejects.toMatchObject({ name: 'CancelledFailure' });
    await expect(exported()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readdir(join(home, 'runs', run))).toEqual([]);
    expect((await readRun(connection.db, run)).state).toBe('running');
  });

  it('costs no space for what killed attempts have left', async () => {
    await train(1);
    const dead = spawnSync(process.execPath, ['--version']).pid;
    const others = [leftover(process.pid), '.policy.old.1-00', `.policy.b${leftover(dead)}`];
    for (const name of [leftover(dead), ...others]) {
      await mkdir(join(home, 'runs', run, name), { recursive: true });
      await writeFile(join(home, 'runs', run, name, 'model.safetensors'), 'half');
    }
    await attempt({ step: 1 });
    expect((await readdir(join(home, 'runs', run))).sort()).toEqual([...others, 'policy'].sort());
  });
});

describe('a folder that replaces another', () => {
  it('leaves that alone when it was taken away', async () => {
    const folder = join(home, 'sub', 'deep', 'place');
    const replace = async (text: string, taken = false): Promise<void> =>
      withUnfinishedFolder(folder, async (unfinished) => {
        await mkdir(join(unfinished, 'inner'));
        await writeFile(join(unfinished, 'inner', 'file'), text);
        await flushFolder(unfinished);
        if (taken) await rm(unfinished, { recursive: true });
        await replaceFolder(unfinished, folder);
      });
    await replace('one');
    await replace('two');
    await expect(replace('three', true)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readFile(join(folder, 'inner', 'file'), 'utf8')).toBe('two');
  });
});

describe('the results of an evaluation', () => {
  it('are written once by attempts at the same time', async () => {
    const evaluation = 'bfcl';
    const asked = await checkedEvaluation({ policy: 'builtin', suite: 'bfcl', data: FIXTURES });
    await prepareEvaluation(
      { db: connection.db, artifacts },
      { evaluation, asked: asked as EvaluationAsked },
    );
    const finish = async () =>
      finishEvaluation({ db: connection.db, dataFolder: home }, { evaluation });
    const attempts = await Promise.all(
      [1, 2, 3].map(async () =>
        new MockActivityEnvironment().run<[], { folder: string | null }, typeof finish>(finish),
      ),
    );
    const folder = join(home, 'evaluations', evaluation);
    expect(attempts).toEqual([{ folder }, { folder }, { folder }]);
    expect((await readdir(folder)).sort()).toEqual(['result', 'score']);
    expect(await readSuiteEvaluation(connection.db, evaluation)).toMatchObject({
      state: 'completed',
      folder,
    });
    expect(await readdir(join(home, 'evaluations'))).toEqual([evaluation]);
  });
});
