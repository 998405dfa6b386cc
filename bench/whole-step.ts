import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunConfig } from '../contracts/config.ts';
import type { GeneratedCompletion, GenerationPrompt, PolicyRef } from '../contracts/policy.ts';
import { adamW, objectiveOptions } from '../activities/engine-options.ts';
import { importPolicyFolder } from '../policy/checkpoint/import-policy.ts';
import { createPolicyEngine } from '../policy/engine/create-policy-engine.ts';
import { openFolderStore } from '../services/artifacts/folder-store.ts';
import { FULL, inWords, sampled, seededPrompts } from './engine-speed.ts';
import { sharedPromptWork, trainingFlops } from './flops.ts';
import type { Task } from './in-turn.ts';
import type { BenchModel } from './models.ts';

/** How much shorter than those measured the warm-up's prompts are. */
const WARM_UP_PART = 8;
const WARM_UP_TOKENS = 4;

/** Prompts of the step that warms up. */
export function warmUpPrompts(model: BenchModel): number[][] {
  return model.prompts.map((ids) => ids.slice(0, Math.ceil(ids.length / WARM_UP_PART)));
}

/**
 * A whole GRPO step as a run does it: the policy thread samples from the policy of the step before, rewards are given, the
 * policy thread makes the gradient step and publishes weights and optimiser as artifacts. Seconds of one step.
 */
export function wholeStepTask(
  config: RunConfig,
  model: BenchModel,
  places: { readonly folder: string; readonly scratch: string },
  size: { readonly completions: number; readonly newTokens: number },
): Task {
  const { completions, newTokens } = size;
  const longest = Math.max(...model.prompts.map(({ length }) => length));
  const { rolloutPrecision: precision } = config;
  return {
    work: `whole GRPO step, ${model.prompts.length} × ${completions}, prompts ${longest}, new ${newTokens}${inWords(precision)}`,
    model: model.name,
    unit: 's',
    profiled: false,
    open: async () => {
      const home = await mkdtemp(join(places.scratch, 'step-'));
      const artifacts = await openFolderStore({
        artifacts: join(home, 'artifacts'),
        temporary: join(home, 'tmp'),
      });
      const engine = createPolicyEngine({ artifacts, threads: config.threads });
      let policy: PolicyRef = await importPolicyFolder(places.folder, artifacts);
      const step = async (prompts: GenerationPrompt[], maxNewTokens: number) => {
        const started = performance.now();
        const generated = await engine.generate({
          policy,
          trainable: FULL,
          prompts,
          sampling: { temperature: 1, topP: 1, maxNewTokens },
          precision,
        });
        const sampledAt = performance.now();
        let lastMicroBatch = sampledAt;
        const request = {
          policy,
          trainable: FULL,
          sequences: asSequences(prompts, generated),
          objective: objectiveOptions(config),
          optimizer: adamW(config, config.learningRate),
          microBatchTokens: config.microBatchTokens,
        };
        const onProgress = (): void => {
          lastMicroBatch = performance.now();
        };
        policy = (await engine.gradientStep(request, { onProgress })).policy;
        const phases = {
          sampling: (sampledAt - started) / 1000,
          'loss and gradients': (lastMicroBatch - sampledAt) / 1000,
          'optimiser and publishing': (performance.now() - lastMicroBatch) / 1000,
        };
        return { generated, phases };
      };
      return {
        warmUp: () => {
          const short = { ...model, prompts: warmUpPrompts(model) };
          return step(seededPrompts(short, completions), WARM_UP_TOKENS);
        },
        compute: async () => {
          const prompts = seededPrompts(model, completions);
          const { generated, phases } = await step(prompts, newTokens);
          const { tokens, flops } = sampled(model, prompts, generated);
          const short = generated.filter(({ ids }) => ids.length < newTokens).length;
          const note = `${short} of ${generated.length} completions ended early`;
          return {
            tokens,
            flops: flops + sharedStepFlops(model, generated),
            phases,
            ...(short > 0 ? { note } : {}),
          };
        },
        close: async () => {
          await engine.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
  };
}

/** FLOPs of a gradient step that computes each prompt once. */
export function sharedStepFlops(
  { traits, prompts }: BenchModel,
  generated: readonly Pick<GeneratedCompletion, 'prompt' | 'ids'>[],
): number {
  const groups = prompts.map((ids, prompt) => ({
    promptTokens: ids.length,
    completions: generated.filter((each) => each.prompt === prompt).map((c) => c.ids.length),
  }));
  return trainingFlops(traits, sharedPromptWork(groups));
}

/** Rewards that cost nothing: every second completion is better than the others. */
function asSequences(
  prompts: readonly GenerationPrompt[],
  generated: readonly GeneratedCompletion[],
) {
  return generated.map(({ prompt, index, ids, logprobs }) => ({
    promptIds: prompts[prompt]?.ids ?? [],
    completionIds: ids,
    rolloutLogprobs: logprobs,
    advantage: index % 2 === 0 ? 1 : -1,
    masked: false,
  }));
}
