import type { Precision } from '../contracts/config.ts';
import type {
  GeneratedCompletion,
  GenerationPrompt,
  PolicyEngine,
  PolicyRef,
  PolicyText,
  SamplingParameters,
  TrainableOptions,
  TrainingMemory,
} from '../contracts/policy.ts';
import { engineCall } from './heartbeat.ts';

export interface CompletionOptions {
  readonly policy: PolicyRef;
  readonly text: PolicyText;
  readonly trainable: TrainableOptions;
  /** Tokens of a completion at most. */
  readonly maxCompletionLength: number;
  readonly sampling: Omit<SamplingParameters, 'maxNewTokens'>;
  /** Default: `float32`. */
  readonly precision?: Precision;
  /** What the policy's training may take. */
  readonly memory: TrainingMemory;
}

/** Completes prompts within an activity: as far as `maxCompletionLength` goes and the policy's context behind the longest prompt. */
export async function completePrompts(
  engine: PolicyEngine,
  prompts: readonly GenerationPrompt[],
  { text, maxCompletionLength, sampling, ...request }: CompletionOptions,
): Promise<readonly GeneratedCompletion[]> {
  const longest = Math.max(0, ...prompts.map(({ ids }) => ids.length));
  const maxNewTokens = Math.min(maxCompletionLength, text.contextLength - longest);
  return engineCall((options) =>
    engine.generate(
      {
        ...request,
        prompts,
        sampling: { ...sampling, maxNewTokens },
      },
      options,
    ),
  );
}

export interface GreedyAnswer {
  /** Index into the prompts. */
  readonly prompt: number;
  readonly completion: string;
  /** End token included. */
  readonly tokens: number;
}

/** The likeliest completion of each prompt, as text. */
export async function completeGreedily(
  engine: PolicyEngine,
  prompts: readonly (readonly number[])[],
  options: Omit<CompletionOptions, 'sampling' | 'precision'>,
): Promise<readonly GreedyAnswer[]> {
  const generated = await completePrompts(
    engine,
    prompts.map((ids) => ({ ids, seeds: [0] })),
    { ...options, sampling: { temperature: 0, topP: 1 } },
  );
  return generated.map(({ prompt, ids }) => ({
    prompt,
    completion: options.text.decode(ids),
    tokens: ids.length,
  }));
}
