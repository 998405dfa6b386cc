import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ActivityDependencies } from '../../activities/dependencies.ts';
import { evaluatePolicy } from '../../activities/evaluate-policy.ts';
import { filterGroups } from '../../activities/filter-groups.ts';
import { gradientStep } from '../../activities/gradient-step.ts';
import { policyEngines, type PolicyEngines } from '../../activities/policy-engines.ts';
import { prepareRun } from '../../activities/prepare-run.ts';
import { rollout } from '../../activities/rollout.ts';
import { decodeRollouts } from '../../activities/rollout-artifact.ts';
import { scoreRewards } from '../../activities/score-rewards.ts';
import { selectBatch } from '../../activities/select-batch.ts';
import { updateCurriculum } from '../../activities/update-curriculum.ts';
import { warmStart } from '../../activities/warm-start.ts';
import { policyAfter } from '../../db/checkpoints.ts';
import type { StepKey } from '../../contracts/activities.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { PolicyRef } from '../../contracts/policy.ts';
import type { Connection } from '../../db/connection.ts';
import { eventsOf } from '../../db/events.ts';
import { groupsOfShard } from '../../db/groups.ts';
import { runStatus } from '../../db/run-status.ts';
import { findShard } from '../../db/rollouts.ts';
import { findStep } from '../../db/steps.ts';
import { loadPolicyText } from '../../policy/text/policy-text.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { formatFixture } from './support/read-data.ts';
import { scratchServer } from './support/scratch-database.ts';
import { TINY, writeTinyPolicy } from './support/tiny-policy.ts';

const server = scratchServer();
let connection: Connection;
let folder: string;
let engines: PolicyEngines;
let deps: ActivityDependencies;

beforeAll(async () => {
  connection = await server.migrated();
  folder = await mkdtemp(join(tmpdir(), 'toolsample-tools-'));
  const artifacts = await openFolderStore({
    artifacts: join(folder, 'artifacts'),
    temporary: join(folder, 'temporary'),
  });
  await writeTinyPolicy(join(folder, 'policy'), { ...TINY, contextLength: 4500 });
  engines = policyEngines(artifacts);
  deps = {
    db: connection.db,
    artifacts,
    engine: (machine) => engines.on(machine),
    policyText: async (base) => loadPolicyText(base, artifacts),
    dataFolder: folder,
  };
});

afterAll(async () => {
  await engines.close();
  await connection.close();
  await rm(folder, { recursive: true, force: true });
});

/** Runs an activity that beats. */
const run = async <T>(activity: () => Promise<T>): Promise<T> =>
  new MockActivityEnvironment().run(activity);

/** One step on one group, after a cold start of one step. */
const oneGroup = () =>
  ({
    policy: join(folder, 'policy'),
    data: formatFixture('toolace.json'),
    warmStart: [{ data: formatFixture('openai.jsonl'), steps: 1 }],
    sampler: 'uniform',
    trainBatchSize: 1,
    numGenerations: 2,
    oversample: 1,
    maxBackfillRounds: 0,
    maskTruncatedCompletions: false,
    maxPromptLength: 4000,
    maxCompletionLength: 400,
    maxSteps: 1,
    threads: 1,
  }) satisfies RunConfigInput;

/** The first step of {@link oneGroup}, up to its gradient. */
async function learnedStep(id: string): Promise<StepKey> {
  const key = { run: id, epoch: 1, step: 1 };
  const round = { ...key, round: 0 };
  await selectBatch(deps, key);
  await run(async () => rollout(deps, { ...round, shard: 0 }));
  await scoreRewards(deps, round);
  await filterGroups(deps, round);
  await updateCurriculum(deps, key);
  // A policy that learnt one step does equally badly each time; there has to be something to learn.
  await connection.pool.query(`update rollouts set weighted_reward = index where run = $1`, [id]);
  return key;
}

test('a policy is shown, sampled and evaluated with the tools of its prompts', async () => {
  const data = formatFixture('toolace.json');
  const config = {
    policy: join(folder, 'policy'),
    data,
    evalData: formatFixture('xlam.json'),
    evalSuite: formatFixture('bfcl/BFCL_sample.json'),
    warmStart: [{ data: formatFixture('openai.jsonl'), steps: 1 }],
    trainBatchSize: 2,
    numGenerations: 2,
    oversample: 1,
    maxPromptLength: 4000,
    maxCompletionLength: 400,
    maxSteps: 1,
    threads: 1,
  };
  await prepareRun(deps, { run: 'tools', config });
  await run(async () => warmStart(deps, { run: 'tools', slice: 1 }));
  const shown = (await eventsOf(connection.db, 'tools')).find(
    ({ kind }) => kind === 'demonstrations',
  );
  expect(shown?.message).toMatch(/^warm start: 4 of 4 rows of openai\.jsonl/u);

  const key = { run: 'tools', epoch: 1, step: 1 };
  await selectBatch(deps, key);
  const shard = { ...key, round: 0, shard: 0 };
  await run(async () => rollout(deps, shard));
  const groups = await groupsOfShard(connection.db, shard);
  const stored = await findShard(connection.db, shard);
  if (stored === null) throw new Error('the shard was not committed');
  const { base } = await policyAfter(connection.db, 'tools', 0);
  const text = await deps.policyText(base);
  const rollouts = decodeRollouts(
    await deps.artifacts.get(stored.artifact),
    stored.artifact.sha256,
  );
  expect(rollouts.map(({ promptIds }) => text.decode(promptIds))).toEqual(
    groups.flatMap(({ sample }) => {
      const prompt = text.decode(text.encodePrompt(sample));
      expect(prompt).toContain('1. Name: Tide Table');
      return [prompt, prompt];
    }),
  );

  const evaluated = await run(async () =>
    evaluatePolicy(deps, { ...key, step: 0, split: 'heldout' }),
  );
  expect(evaluated.n).toBe(3);
  const onSuite = await run(async () => evaluatePolicy(deps, { ...key, step: 0, split: 'suite' }));
  expect(onSuite.n).toBeGreaterThan(0);
  const { evaluations } = await runStatus(connection.db, 'tools');
  expect(evaluations.map(({ split, n }) => [split, n])).toEqual([
    ['heldout', 3],
    ['suite', onSuite.n],
  ]);
});

test('a policy that was deleted before its commit is computed and stored again', async () => {
  await prepareRun(deps, { run: 'again', config: oneGroup() });
  const engine = await engines.on({ backend: 'onnx', threads: 1, device: 'cpu' });
  let computed: PolicyRef | undefined;
  /** A run that came to the same policy goes on, and prunes it. */
  const pruned = async <T extends { readonly policy: PolicyRef }>(result: T): Promise<T> => {
    computed = result.policy;
    const { weights, optimizer } = computed;
    for (const ref of [weights, optimizer]) await deps.artifacts.delete(ref!.sha256);
    return result;
  };
  const unlucky: ActivityDependencies = {
    ...deps,
    engine: async () => ({
      ...engine,
      supervise: async (...call) => pruned(await engine.supervise(...call)),
      gradientStep: async (...call) => pruned(await engine.gradientStep(...call)),
    }),
  };
  const comesAgain = async (
    step: number,
    activity: (using: ActivityDependencies) => Promise<unknown>,
  ): Promise<void> => {
    await expect(run(async () => activity(unlucky))).rejects.toMatchObject({ code: 'service' });
    await run(async () => activity(deps));
    const policy = await policyAfter(connection.db, 'again', step);
    expect(policy).toEqual(computed);
    for (const ref of [policy.weights, policy.optimizer]) {
      expect(await deps.artifacts.has(ref!)).toBe(true);
    }
  };

  await comesAgain(0, async (using) => warmStart(using, { run: 'again', slice: 1 }));
  const key = await learnedStep('again');
  await comesAgain(1, async (using) => gradientStep(using, key));
});

test.each(['full', 'lora'] as const)(
  'the first step after a cold start has no KL yet: %s',
  async (trainMode) => {
    const id = `measured ${trainMode}`;
    const [phase] = oneGroup().warmStart;
    const warmed = { ...oneGroup(), warmStart: [{ ...phase!, learningRate: 0.01 }] };
    await prepareRun(deps, { run: id, config: { ...warmed, trainMode, beta: 0.1 } });
    await run(async () => warmStart(deps, { run: id, slice: 1 }));
    const key = await learnedStep(id);
    await run(async () => gradientStep(deps, key));
    const step = await findStep(connection.db, key);
    expect(step).toMatchObject({ state: 'committed' });
    expect(step?.kl).toBeLessThan(1e-6);
  },
);
