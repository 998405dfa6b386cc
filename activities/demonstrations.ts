import type { RunConfig, WarmStartPhase } from '../contracts/config.ts';
import { hashSeed } from '../contracts/hash.ts';
import type { Demonstration, PolicyText } from '../contracts/policy.ts';
import type { ChatMessage } from '../contracts/sample.ts';
import { demonstration } from '../datasets/builtin/demonstrations.ts';

/** Demonstration number `index` of a phase, tokenised; null where it is too long. */
export type DemonstrationAt = (index: number) => Demonstration | null;

/** Limits that demonstrations share with rollouts: what could not be sampled is not shown either. */
export type LengthLimits = Pick<RunConfig, 'maxPromptLength' | 'maxCompletionLength'>;

/** The endless seeded stream of the built-in generator. */
export function builtinDemonstrations(
  phase: WarmStartPhase,
  seed: number,
  text: PolicyText,
  limits: LengthLimits,
): DemonstrationAt {
  return (index) => {
    const { sample, completion } = demonstration({
      seed,
      index,
      levels: phase.levels,
      noise: phase.noise,
    });
    return tokenised(sample.messages, completion, text, limits);
  };
}

/** A seed of its own for every phase: no phase repeats what another has shown. */
export function phaseSeed(seed: number, phase: number): number {
  return hashSeed(seed, 'warm start', phase);
}

/** A prompt and the completion to imitate as ids; null where one of them, or both together, are too long. */
export function tokenised(
  messages: readonly ChatMessage[],
  completion: string,
  text: PolicyText,
  limits: LengthLimits,
): Demonstration | null {
  const promptIds = text.encodePrompt(messages);
  const completionIds = text.encodeCompletion(completion);
  const fits =
    promptIds.length <= limits.maxPromptLength &&
    completionIds.length <= limits.maxCompletionLength &&
    promptIds.length + completionIds.length <= text.contextLength;
  return fits ? { promptIds, completionIds } : null;
}
