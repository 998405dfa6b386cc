import type { RunConfig } from '../contracts/config.ts';
import type {
  GeneratedCompletion,
  GenerationPrompt,
  PolicyEngine,
  PolicyRef,
  PolicyText,
  SamplingParameters,
} from '../contracts/policy.ts';
import { trainableOptions } from './engine-options.ts';
import { engineCall } from './heartbeat.ts';

export interface CompletionOptions {
  readonly policy: PolicyRef;
  readonly text: PolicyText;
  readonly config: RunConfig;
  readonly sampling: Omit<SamplingParameters, 'maxNewTokens'>;
}

/** Completes prompts within an activity: as far as `maxCompletionLength` goes and the policy's context behind the longest prompt. */
export async function completePrompts(
  engine: PolicyEngine,
  prompts: readonly GenerationPrompt[],
  { policy, text, config, sampling }: CompletionOptions,
): Promise<readonly GeneratedCompletion[]> {
  const longest = Math.max(0, ...prompts.map(({ ids }) => ids.length));
  const maxNewTokens = Math.min(config.maxCompletionLength, text.contextLength - longest);
  return engineCall((options) =>
    engine.generate(
      {
        policy,
        trainable: trainableOptions(config),
        prompts,
        sampling: { ...sampling, maxNewTokens },
      },
      options,
    ),
  );
}
