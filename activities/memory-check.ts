import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { RunConfig } from '../contracts/config.ts';
import { policyAfter } from '../db/checkpoints.ts';
import type { Database } from '../db/connection.ts';
import { storedArchitecture } from '../policy/checkpoint/base-weights.ts';
import type { ModelTraits } from '../policy/models/model-traits.ts';
import { klReference } from '../policy/training/memory-estimate.ts';
import { checkMemoryLimit } from '../policy/training/step-plan.ts';
import { trainingModel } from '../policy/training/training-graph.ts';
import { trainableOptions } from './engine-options.ts';
import { trainingMemory } from './training-memory.ts';

/*
 * A `memory_limit` that is a size is kept to: a step that needs more fails, again and again. So whatever gives a run its settings looks
 * first whether any step could.
 */

/** @throws ToolsampleError `config` where a new run's `memory_limit` is too small for what it trains */
export function checkNewRun(traits: ModelTraits, config: RunConfig): void {
  check(
    traits,
    config,
    'raise it, lower max_prompt_length or max_completion_length, or use train_mode lora',
  );
}

/** @throws ToolsampleError `config` where a run that there is, or a fork of it, would have too small a `memory_limit` for it */
export async function checkChangedRun(
  { db, artifacts }: { readonly db: Database; readonly artifacts: Pick<ArtifactStore, 'get'> },
  run: string,
  config: RunConfig,
): Promise<void> {
  if (config.backend !== 'onnx' || !trainingMemory(config.memoryLimit).strict) return;
  const { base } = await policyAfter(db, run, 0);
  const { traits } = await storedArchitecture(base, artifacts);
  check(traits, config, 'raise it; a beta above 0 needs more than 0 does');
}

function check(traits: ModelTraits, config: RunConfig, hint: string): void {
  const { maxPromptLength: prompt, maxCompletionLength: completion } = config;
  checkMemoryLimit(
    trainingModel(traits, trainableOptions(config)),
    { prompt, completion },
    trainingMemory(config.memoryLimit),
    klReference(config.beta, config.warmStart.length > 0),
    hint,
  );
}
