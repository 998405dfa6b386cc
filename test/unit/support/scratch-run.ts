import { INITIAL_CURRICULUM } from '../../../contracts/curriculum.ts';
import type { ShardKey, StepKey } from '../../../contracts/activities.ts';
import type { RunConfig, RunConfigInput } from '../../../contracts/config.ts';
import { hashSeed } from '../../../contracts/hash.ts';
import type { PolicyRef } from '../../../contracts/policy.ts';
import type { Sample } from '../../../contracts/sample.ts';
import { commitCheckpoint } from '../../../db/checkpoints.ts';
import type { Database } from '../../../db/connection.ts';
import { ingestCorpus } from '../../../db/corpus-ingestion.ts';
import { insertLearningState } from '../../../db/curriculum.ts';
import { groupsOfShard } from '../../../db/groups.ts';
import { commitShard } from '../../../db/rollouts.ts';
import { insertRun } from '../../../db/runs.ts';
import { generateSample } from '../../../datasets/builtin/generator.ts';
import { INITIAL_ACTIVATION } from '../../../dscl/activation.ts';
import { resolveConfig } from '../../../services/configuration/resolve.ts';

const ARTIFACT = { sha256: 'a'.repeat(64), bytes: 1 };

/** Built-in tasks of levels 0 to 3. */
export function scratchSamples(count: number): Sample[] {
  return Array.from({ length: count }, (_, index) =>
    generateSample({
      seed: 1,
      index,
      level: ([0, 1, 2, 3] as const)[index % 4] ?? 0,
      split: 'train',
    }),
  );
}

/** A prepared run over `samples`, as `prepareRun` leaves it; without a policy behind it, unless one is given. */
export async function scratchRun(
  db: Database,
  run: string,
  samples: readonly Sample[],
  input: RunConfigInput,
  policy: PolicyRef = { base: ARTIFACT, weights: null, optimizer: null },
): Promise<RunConfig> {
  const config = resolveConfig(input);
  await db.transaction(async (tx) => {
    const { corpus } = await ingestCorpus(tx, 'scratch', ingested(samples));
    const stepsPerEpoch = Math.ceil(samples.length / config.trainBatchSize);
    await insertRun(
      tx,
      {
        run,
        policy: config.policy,
        sampler: config.sampler,
        curriculum: config.curriculum,
        config,
        configSha256: 'b'.repeat(64),
        corpus,
        corpusSamples: samples.length,
        selection: 'scan',
        rejectedRows: 0,
        overlongPrompts: 0,
        policyParameters: 1000,
        contextLength: 128,
        epochs: 3,
        stepsPerEpoch,
        totalSteps: 3 * stepsPerEpoch,
        warmStartSlices: 0,
        evaluateAt: [],
      },
      [{ split: 'heldout', corpus }],
    );
    await commitCheckpoint(
      tx,
      { run, step: 0, slice: 0 },
      {
        policy,
        optimizerSteps: 0,
        loss: null,
        trainedTokens: 0,
        seconds: 0,
      },
      null,
    );
    await insertLearningState(tx, run, {
      curriculum: INITIAL_CURRICULUM,
      activation: INITIAL_ACTIVATION,
    });
  });
  return config;
}

async function* ingested(samples: readonly Sample[]) {
  for (const sample of samples) yield { sample, rewardMin: -3, rewardMax: 4 };
}

/** Completions as a half-trained policy writes them: some right, some wrong in one way or another, by hash. */
export async function scratchRollouts(
  db: Database,
  key: ShardKey,
  generations: number,
  skill: 'half' | 'solved' = 'half',
): Promise<void> {
  const groups = await groupsOfShard(db, key);
  const rollouts = groups.flatMap(({ rank, sample }) =>
    Array.from({ length: generations }, (_, index) => ({
      rank,
      index,
      sampleId: sample.id,
      completion: skill === 'solved' ? sample.groundTruth : completion(sample, key, index),
      promptTokens: 30,
      completionTokens: 10 + index,
      finishReason: index === 7 ? ('length' as const) : ('stop' as const),
    })),
  );
  await commitShard(db, key, { artifact: ARTIFACT, rollouts, seconds: 0.5 });
}

function completion(sample: Sample, { step }: StepKey, index: number): string {
  // Half of the samples is solved by every completion, so that groups without signal occur.
  if (hashSeed('solved', sample.id) % 2 === 0) return sample.groundTruth;
  switch (hashSeed('skill', step, sample.id, index) % 4) {
    case 0:
      return sample.groundTruth;
    case 1:
      return sample.groundTruth.replaceAll('"parameters": {', '"parameters": {"extra\0": 1, ');
    case 2:
      return sample.groundTruth.replaceAll('"name": "', '"name": "un');
    default:
      return 'no idea \uD83D \0';
  }
}
