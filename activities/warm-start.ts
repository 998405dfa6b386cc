import type { WarmStartKey, WarmStartSummary } from '../contracts/activities.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { commitCheckpoint, findCheckpoint, type Checkpoint } from '../db/checkpoints.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { linearDecay } from '../policy/training/learning-rate.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { demonstrationBatches } from './demonstration-batches.ts';
import { fileDemonstrations } from './demonstration-file.ts';
import { builtinDemonstrations, phaseSeed } from './demonstrations.ts';
import { adamW, trainableOptions } from './engine-options.ts';
import { engineCall } from './heartbeat.ts';
import { longestSequence, withMicroBatches } from './micro-batches.ts';
import { trainingMemory } from './training-memory.ts';
import { pruneCheckpoints } from './prune-checkpoints.ts';
import { recordDevice } from './record-device.ts';
import { warmStartSlices } from './warm-start-slices.ts';

/**
 * One slice of the supervised cold start: so many optimiser steps on demonstrations, from the checkpoint of the slice before,
 * committed as the checkpoint of this one. What a slice trains on depends on the configuration alone.
 */
export async function warmStart(
  deps: ActivityDependencies,
  key: WarmStartKey,
): Promise<WarmStartSummary> {
  const { db } = deps;
  const committed = await findCheckpoint(db, { ...key, step: 0 });
  if (committed !== null) return summary(key, committed);

  const run = await readRunAt(db, key.run, 0);
  const slice = warmStartSlices(run.config.warmStart, run.policyParameters ?? 0)[key.slice - 1];
  const phase = run.config.warmStart[slice?.phase ?? -1];
  const before = await findCheckpoint(db, { run: key.run, step: 0, slice: key.slice - 1 });
  if (slice === undefined || phase === undefined || before === null) {
    throw new ToolsampleError('not-found', `run "${key.run}" has no warm-start slice ${key.slice}`);
  }

  const seed = phaseSeed(run.config.seed, slice.phase);
  const text = await deps.policyText(before.policy.base);
  const demonstrationAt =
    phase.data === 'builtin'
      ? builtinDemonstrations(phase, seed, text, run.config)
      : await fileDemonstrations(deps, run, slice.phase, seed, text);
  const batches = await demonstrationBatches({
    ...slice,
    seed,
    batchTokens: phase.batchTokens,
    demonstrationAt,
  });
  const engine = await deps.engine(run.config);
  const steps = batches.map((demonstrations, i) => ({
    demonstrations,
    optimizer: adamW(
      run.config,
      linearDecay(phase.learningRate, phase.finalLearningRate, slice.firstStep + i, phase.steps),
    ),
  }));
  const { microBatchTokens, memoryLimit } = run.config;
  const budget = { microBatchTokens, memory: trainingMemory(memoryLimit) };
  const longest = longestSequence(batches.flat());
  const result = await withMicroBatches(budget, longest, async (affordable) =>
    engineCall((options) =>
      engine.supervise(
        {
          policy: before.policy,
          trainable: trainableOptions(run.config),
          batches: steps,
          ...affordable,
        },
        options,
      ),
    ),
  );
  if (!Number.isFinite(result.meanLoss)) {
    throw new ToolsampleError('non-finite', `warm start: the loss is ${result.meanLoss}`, {
      hint: "start a new run with a smaller learningRate in the phase's warmStart entry",
    });
  }
  await recordDevice(db, key.run, 'warm start', engine);
  const stored = await commitCheckpoint(
    db,
    { ...key, step: 0 },
    {
      policy: result.policy,
      optimizerSteps: batches.length,
      loss: result.meanLoss,
      trainedTokens: result.tokens,
      seconds: result.seconds,
    },
    deps.artifacts,
  );
  await pruneCheckpoints(deps, { ...key, step: 0 });
  return summary(key, stored);
}

function summary(key: WarmStartKey, checkpoint: Checkpoint): WarmStartSummary {
  return {
    slice: key.slice,
    steps: checkpoint.optimizerSteps,
    loss: checkpoint.loss ?? 0,
    tokens: checkpoint.trainedTokens,
  };
}
