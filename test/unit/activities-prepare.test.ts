import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import { splitsDue } from '../../contracts/evaluation-plan.ts';
import { prepareRun } from '../../activities/prepare-run.ts';
import { recordOutcome } from '../../activities/record-outcome.ts';
import { runSchedule } from '../../activities/run-schedule.ts';
import { startingPolicy } from '../../activities/starting-policy.ts';
import { dataNotice } from '../../cli/render/data-lines.ts';
import { commitCheckpoint, findCheckpoint, policyAfter } from '../../db/checkpoints.ts';
import type { Connection } from '../../db/connection.ts';
import { samplesInOrder, splitCorpus } from '../../db/corpora.ts';
import { findLearningState } from '../../db/curriculum.ts';
import { eventsOf } from '../../db/events.ts';
import { runStatus } from '../../db/run-status.ts';
import { readRun } from '../../db/runs.ts';
import { builtinCorpus } from '../../datasets/builtin/corpus.ts';
import { loadPolicyText } from '../../policy/text/policy-text.ts';
import { resolveConfig } from '../../services/configuration/resolve.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { scratchServer } from './support/scratch-database.ts';
import { formatFixture, readAll } from './support/read-data.ts';
import { TINY, writeTinyPolicy } from './support/tiny-policy.ts';

const server = scratchServer();
let connection: Connection;
let folder: string;
let artifacts: ArtifactStore;
let builtin: RunConfigInput;

beforeAll(async () => {
  connection = await server.migrated();
  folder = await mkdtemp(join(tmpdir(), 'toolsample-prepare-'));
  artifacts = await openFolderStore({
    artifacts: join(folder, 'artifacts'),
    temporary: join(folder, 'temporary'),
  });
  // A tokenizer of single bytes: long prompts, so that some don't fit.
  const policy = join(folder, 'policy');
  await writeTinyPolicy(policy, { ...TINY, contextLength: 512 });
  builtin = {
    policy,
    data: 'builtin',
    corpusSize: 40,
    evalSize: 12,
    trainBatchSize: 8,
    maxPromptLength: 400,
    maxCompletionLength: 100,
    numTrainEpochs: 2,
    evalSchedule: 'halving',
  };
});

afterAll(async () => {
  await connection.close();
  await rm(folder, { recursive: true, force: true });
});

function prepare(run: string, config: RunConfigInput) {
  const deps = {
    db: connection.db,
    artifacts,
    policyText: async (base: Parameters<typeof loadPolicyText>[0]) =>
      loadPolicyText(base, artifacts),
  };
  return prepareRun(deps, { run, config });
}

async function file(name: string, rows: readonly unknown[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(rows));
  return path;
}

/** A row of BFCL with its answer. */
const question = (id: string, content: string) => ({
  id,
  question: [[{ role: 'user', content }]],
  function: [{ name: 'f', description: '', parameters: { type: 'dict', properties: {} } }],
  ground_truth: [{ f: {} }],
});

/** A row as ToolRL's SFT file has them. */
function row(request: string, city: string) {
  return {
    instruction: 'Tools: weather(city: str)',
    input: request,
    output: `<think>ok</think>\n<tool_call>\n{"name": "weather", "parameters": {"city": "${city}"}}\n</tool_call>`,
  };
}

describe('a run on built-in data', () => {
  test('has its plan, corpus, splits, policy and start of the curriculum', async () => {
    const plan = await prepare('builtin', builtin);
    expect(plan).toMatchObject({
      name: 'builtin',
      sampler: 'dscl',
      curriculum: 'tdcl',
      epochs: 2,
      stepsPerEpoch: 5,
      totalSteps: 10,
      evaluateAt: [3, 5, 10],
      splits: ['heldout', 'unseen'],
      committedStep: 0,
    });
    const run = await readRun(connection.db, 'builtin');
    expect(run.config).toMatchObject(builtin);
    expect(run.corpusSamples + run.overlongPrompts).toBe(40);
    // A hash of its samples: what earlier versions stored is found again.
    expect(run.corpus).toBe('d1c31f9cf01b0f13');
    const stored = await samplesInOrder(connection.db, run.corpus, 0, 100);
    const generated = [
      ...builtinCorpus({ seed: run.config.seed, size: 40, levelMix: run.config.levelMix }),
    ];
    const ids = new Set(stored.map(({ id }) => id));
    expect(stored).toEqual(generated.filter(({ id }) => ids.has(id)));
    expect(await splitCorpus(connection.db, 'builtin', 'heldout')).not.toBe(run.corpus);
    expect(await policyAfter(connection.db, 'builtin', 0)).toMatchObject({ weights: null });
    expect((await findLearningState(connection.db, 'builtin', 0))?.curriculum.weights.name).toBe(1);
  });

  test('another run of the same data shares its rows', async () => {
    await prepare('sharing', { ...builtin, sampler: 'uniform' });
    const [first, second] = [
      await readRun(connection.db, 'builtin'),
      await readRun(connection.db, 'sharing'),
    ];
    expect(second.corpus).toBe(first.corpus);
    const { rows } = await connection.pool.query(
      'select count(*)::int as n from samples where corpus = $1',
      [first.corpus],
    );
    expect(rows).toEqual([{ n: first.corpusSamples }]);
  });

  test('two attempts at once make one run', async () => {
    const [first, second] = await Promise.all([
      prepare('twice', builtin),
      prepare('twice', builtin),
    ]);
    expect(second).toEqual(first);
    expect((await eventsOf(connection.db, 'twice')).map(({ kind }) => kind)).not.toContain(
      'resumed',
    );
  });

  test('a run id keeps its configuration, however it is spelled', async () => {
    await expect(prepare('builtin', { ...builtin, learning_rate: 0.1 })).rejects.toThrow(
      /field "learningRate": the run "builtin" exists with another configuration.*resume builtin/,
    );
    const { trainBatchSize, ...others } = builtin;
    await prepare('builtin', { ...others, 'train-batch-size': trainBatchSize });
  });

  test('a run that an older version prepared keeps its configuration too', async () => {
    await prepare('older', builtin);
    await connection.pool.query(
      `update runs set config = config::jsonb - 'memoryLimit' where run = 'older'`,
    );
    await prepare('older', builtin);
    expect((await readRun(connection.db, 'older')).config.memoryLimit).toBe('auto');
  });

  test('a run that an older version accepted goes on with its configuration, whatever is checked now', async () => {
    await prepare('accepted', builtin);
    await connection.pool.query(
      `update runs set config = (config::jsonb || '{"trainBatchSize": 20000}')::json where run = 'accepted'`,
    );
    const { config } = await readRun(connection.db, 'accepted');
    expect(() => resolveConfig({ ...config })).toThrow(/corpus_size|cannot fill/);
    await prepare('accepted', { ...config });
  });

  test('goes on after its last committed step, and says that it was resumed', async () => {
    const { policy } =
      (await findCheckpoint(connection.db, { run: 'builtin', step: 0, slice: 0 })) ?? {};
    if (policy === undefined) throw new Error('no checkpoint');
    const numbers = { optimizerSteps: 1, loss: 1, trainedTokens: 1, seconds: 0 };
    const commit = async (point: { readonly step: number; readonly slice: number }) =>
      commitCheckpoint(connection.db, { run: 'builtin', ...point }, { policy, ...numbers }, null);
    await commit({ step: 1, slice: 0 });
    await recordOutcome(connection, { run: 'builtin', state: 'stopped', reason: 'asked' });
    for (const _attempt of [1, 2]) {
      const plan = await prepare('builtin', builtin);
      expect(plan.committedStep).toBe(1);
      expect(plan).not.toHaveProperty('committedSlices');
    }
    expect(await readRun(connection.db, 'builtin')).toMatchObject({
      state: 'running',
      reason: null,
      finishedAt: null,
    });
    const kinds = (await eventsOf(connection.db, 'builtin')).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'resumed')).toHaveLength(1);
    // Neither is the warm start gone through again.
    for (const slice of [1, 2, 3]) await commit({ step: 0, slice });
    expect(await prepare('builtin', builtin)).toMatchObject({
      committedStep: 1,
      committedSlices: 3,
    });
  });
});

describe('a run on a file', () => {
  test('keeps a part from training, counts and reports what it cannot use', async () => {
    const good = Array.from({ length: 30 }, (_, i) => row(`weather in city ${i}`, `c${i}`));
    const long = row(`weather ${'please '.repeat(100)}`, 'x');
    const data = await file('rows.json', [...good, { output: 'nothing else' }, long]);
    const config = { ...builtin, data, evalSize: 5, evalSchedule: 'epoch' } as const;
    await expect(prepare('strict', config)).rejects.toThrow(
      /rows\.json, row 31, field "instruction": is missing — .*--max-bad-rows/,
    );
    const plan = await prepare('file', { ...config, maxBadRows: 1 });
    expect(plan).toMatchObject({ splits: ['heldout'], stepsPerEpoch: 4, evaluateAt: [4, 8] });
    const run = await readRun(connection.db, 'file');
    expect(run).toMatchObject({ corpusSamples: 25, rejectedRows: 1, overlongPrompts: 1 });
    const heldout = (await splitCorpus(connection.db, 'file', 'heldout')) ?? '';
    const [train, held] = [
      await samplesInOrder(connection.db, run.corpus, 0, 100),
      await samplesInOrder(connection.db, heldout, 0, 100),
    ];
    expect(held).toHaveLength(5);
    const texts = new Set(train.map(({ messages }) => JSON.stringify(messages)));
    expect(held.some(({ messages }) => texts.has(JSON.stringify(messages)))).toBe(false);
    const events = await eventsOf(connection.db, 'file');
    const report = events.find(({ kind }) => kind === 'rejected-rows');
    expect(report?.message).toMatch(
      /2 of 32 rows of .*rows\.json were left out: 1 not usable, 1 with too long a prompt; e\.g\. row 31/,
    );
    const status = await runStatus(connection.db, 'file');
    expect(status.data).toMatchObject({
      samples: 25,
      leftOut: [{ part: 'train', rows: 32, rejectedRows: 1, overlongPrompts: 1 }],
      heldOut: [{ split: 'heldout', samples: 5 }],
    });
    const [, query] = /"(.*)"/.exec(dataNotice(status, (command) => command)[1] ?? '') ?? [];
    expect((await connection.pool.query(query ?? '')).rows).toMatchObject([
      { row: '31', field: 'instruction', reason: 'is missing' },
      {
        row: '32',
        field: null,
        reason: expect.stringMatching(/prompt of .* tokens, 400 at most/) as string,
      },
    ]);
  });

  test('of another format has its tools, turns and allowed values in the database', async () => {
    const policy = join(folder, 'long');
    await writeTinyPolicy(policy, { ...TINY, contextLength: 8000 });
    for (const [run, name] of [
      ['turns', 'toolace.json'],
      ['answers', 'bfcl/BFCL_sample.json'],
    ] as const) {
      const data = formatFixture(name);
      await prepare(run, {
        ...builtin,
        policy,
        data,
        evalData: data,
        trainBatchSize: 1,
        maxPromptLength: 4000,
        maxCompletionLength: 400,
      });
      const { corpus } = await readRun(connection.db, run);
      const stored = await samplesInOrder(connection.db, corpus, 0, 100);
      expect(stored).toEqual((await readAll(data)).samples);
    }
  });

  test("evaluates on a suite besides, of BFCL's folder as many of each category as evalSize", async () => {
    const evalSuite = fileURLToPath(new URL('../fixtures/bfcl', import.meta.url));
    const policy = join(folder, 'longer');
    await writeTinyPolicy(policy, { ...TINY, contextLength: 8000 });
    const data = await file(
      'of-suite.json',
      Array.from({ length: 20 }, (_, i) => row(`train ${i}`, 'a')),
    );
    const lengths = { maxPromptLength: 4000, maxCompletionLength: 400 };
    const config = { ...builtin, ...lengths, policy, data, evalSuite, evalSize: 1 };
    const plan = await prepare('suite', config);
    expect(plan.splits).toEqual(['heldout', 'suite']);
    expect(splitsDue(plan.evaluateAt[0] ?? 0, plan)).toEqual(['heldout', 'suite']);
    expect(splitsDue(1, { ...plan, splits: ['heldout', 'unseen'], evaluateAt: [1] })).toEqual([
      'heldout',
    ]);
    const corpus = (await splitCorpus(connection.db, 'suite', 'suite')) ?? '';
    const ids = (await samplesInOrder(connection.db, corpus, 0, 100)).map(({ id }) => id);
    expect(ids).toEqual([
      'simple_python_0',
      'simple_java_0',
      'simple_javascript_0',
      'multiple_0',
      'parallel_0',
      'parallel_multiple_0',
    ]);
    await expect(prepare('no suite', { ...config, evalSuite: folder })).rejects.toThrow(
      /holds none of the files of BFCL/,
    );
  });

  test('takes as many usable samples of each file of a suite, whatever is left out before them', async () => {
    const evalSuite = join(folder, 'suite');
    await mkdir(evalSuite);
    const suite = {
      multiple: [
        { ...question('bad', 'q'), ground_truth: 7 },
        question('long', 'q'.repeat(5000)),
        ...['multiple_0', 'multiple_1', 'multiple_2'].map((id) => question(id, 'q')),
        // Not come to: more than may be left out.
        { ...question('late', 'q'), ground_truth: 7 },
      ],
      parallel: [question('parallel_0', 'q')],
      parallel_multiple: ['a', 'b', 'c'].map((id) => question(`parallel_multiple_${id}`, 'q')),
    };
    for (const [category, rows] of Object.entries(suite)) {
      await file(`suite/BFCL_v4_${category}.json`, rows);
    }
    const policy = join(folder, 'for a suite');
    await writeTinyPolicy(policy, { ...TINY, contextLength: 8000 });
    const lengths = { maxPromptLength: 4000, maxCompletionLength: 400 };
    const limits = { evalSize: 2, maxBadRows: 1 };
    const data = await file(
      'beside-suite.json',
      Array.from({ length: 20 }, (_, i) => row(`train ${i}`, 'a')),
    );
    await prepare('suite of bad rows', {
      ...builtin,
      ...lengths,
      ...limits,
      policy,
      data,
      evalSuite,
    });
    const corpus = (await splitCorpus(connection.db, 'suite of bad rows', 'suite')) ?? '';
    const ids = (await samplesInOrder(connection.db, corpus, 0, 100)).map(({ id }) => id);
    expect(ids).toEqual([
      'multiple_0',
      'multiple_1',
      'parallel_0',
      'parallel_multiple_a',
      'parallel_multiple_b',
    ]);
  });

  test('evaluates on the file that is given, as far as evalSize', async () => {
    const data = await file(
      'train.json',
      Array.from({ length: 9 }, (_, i) => row(`train ${i}`, 'a')),
    );
    const evalData = await file(
      'eval.json',
      Array.from({ length: 9 }, (_, i) => row(`eval ${i}`, 'a')),
    );
    await prepare('evaluated', { ...builtin, data, evalData, evalSize: 4 });
    expect((await readRun(connection.db, 'evaluated')).corpusSamples).toBe(9);
    const corpus = (await splitCorpus(connection.db, 'evaluated', 'heldout')) ?? '';
    expect(await samplesInOrder(connection.db, corpus, 0, 100)).toHaveLength(4);
  });

  test.each([
    [
      'only too long prompts',
      { maxPromptLength: 10 },
      /none of the 9 rows can be used.*e\.g\. row 1: prompt of .*raise max_prompt_length/,
    ],
    [
      'no room for a prompt',
      { maxCompletionLength: 512, microBatchTokens: 2000 },
      /no room for a prompt in the policy's context of 512/,
    ],
    ['no policy', { policy: '/nowhere' }, /nowhere/],
    ['no data', { data: '/nowhere.json' }, /nowhere\.json: does not exist/],
  ])('%s: refused in one line, nothing half-written', async (name, change, message) => {
    const data = await file(
      'refused.json',
      Array.from({ length: 9 }, (_, i) => row(`train ${i}`, 'a')),
    );
    await expect(prepare(name, { ...builtin, data, ...change })).rejects.toThrow(message);
    const { rows } = await connection.pool.query('select run from runs where run = $1', [name]);
    expect(rows).toEqual([]);
  });
});

// Learns a tokenizer first.
test('a random policy is made where what a killed attempt leaves is removed', async () => {
  const temporary = join(folder, 'temporary');
  const meanwhile: string[] = [];
  const store: ArtifactStore = {
    ...artifacts,
    put: async (bytes) => {
      meanwhile.push(...(await readdir(temporary, { recursive: true })));
      return artifacts.put(bytes);
    },
  };
  await startingPolicy(resolveConfig({ policy: 'random' }), store);
  expect(meanwhile).toContainEqual(expect.stringMatching(/^[^/]+\/policy\/model\.safetensors$/));
  expect(await readdir(temporary)).toEqual([]);
});

test('a random policy is made and stored', { timeout: 240_000 }, async () => {
  const config = { ...builtin, policy: 'random', maxPromptLength: 80 };
  expect(await prepare('random', config)).toMatchObject({ policy: 'random', committedStep: 0 });
  expect((await readRun(connection.db, 'random')).contextLength).toBe(256);
  expect(await policyAfter(connection.db, 'random', 0)).toMatchObject({ weights: null });
});

describe('schedule', () => {
  const base = { trainBatchSize: 16, numTrainEpochs: 2, maxSteps: -1 } as const;
  test.each([
    [{ ...base, evalSchedule: 'halving' as const }, 384, [3, 6, 12, 24, 48]],
    [{ ...base, maxSteps: 45, evalSchedule: 'halving' as const }, 384, [3, 6, 12, 23, 45]],
    [{ ...base, evalSchedule: 'epoch' as const }, 384, [24, 48]],
    [{ ...base, maxSteps: 30, evalSchedule: 'epoch' as const }, 384, [24, 30]],
    [{ ...base, evalSchedule: 20 }, 384, [20, 40, 48]],
    [{ ...base, evalSchedule: 'none' as const }, 384, [48]],
    [{ ...base, maxSteps: 1, evalSchedule: 'halving' as const }, 384, [1]],
  ])('%j over %i samples', (config, samples, evaluateAt) => {
    const schedule = runSchedule(config, samples);
    expect(schedule.evaluateAt).toEqual(evaluateAt);
    expect(schedule.totalSteps).toBe(evaluateAt.at(-1));
    expect(schedule.epochs).toBe(Math.ceil(schedule.totalSteps / 24));
  });

  test.each([
    [{ ...base, maxSteps: 100_000_000, evalSchedule: 1 }, 384, '100000000 evaluations'],
    [{ ...base, numTrainEpochs: 1_000_000, evalSchedule: 24 }, 384, '1000000 evaluations'],
    [{ ...base, maxSteps: 100_001, evalSchedule: 'epoch' as const }, 16, '100001 evaluations'],
  ])('%j over %i samples is refused: more than a plan can carry', (config, samples, many) => {
    expect(() => runSchedule(config, samples)).toThrow(
      `field "eval_schedule": ${many} are too many, 100000 can be planned — evaluate after more`,
    );
  });

  test('the largest plan fits easily into what Temporal carries', () => {
    const most = { ...base, maxSteps: 100_000_000, evalSchedule: 1000 };
    const { evaluateAt } = runSchedule(most, 384);
    expect(evaluateAt).toHaveLength(100_000);
    expect(JSON.stringify(evaluateAt).length).toBeLessThan(1024 * 1024);
  });

  test('an epoch draws at least as many groups as there are samples', () => {
    expect(runSchedule({ ...base, evalSchedule: 'none' }, 385).stepsPerEpoch).toBe(25);
  });
});
