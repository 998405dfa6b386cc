import type { RunConfig, WarmStartPhase } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { hashSeed } from '../contracts/hash.ts';
import type { Demonstration, PolicyText } from '../contracts/policy.ts';
import type { Prompt } from '../contracts/sample.ts';
import { demonstration } from '../datasets/builtin/demonstrations.ts';

/** Demonstration number `index` of a phase, tokenised; null where it is too long. */
export type DemonstrationAt = (index: number) => Demonstration | null;

/** Limits that demonstrations share with rollouts: what could not be sampled is not shown either. */
export type LengthLimits = Pick<RunConfig, 'maxPromptLength' | 'maxCompletionLength'>;

/** So many in a row that are too long: the rest will be too. */
const PATIENCE = 300;

/** The endless seeded stream of the built-in generator. @throws ToolsampleError `config` when nothing of it is short enough */
export function builtinDemonstrations(
  phase: WarmStartPhase,
  seed: number,
  text: PolicyText,
  limits: LengthLimits,
): DemonstrationAt {
  let tooLong = 0;
  return (index) => {
    const { sample, completion } = demonstration({
      seed,
      index,
      levels: phase.levels,
      noise: phase.noise,
    });
    const found = tokenised(sample, completion, text, limits);
    tooLong = found === null ? tooLong + 1 : 0;
    if (tooLong < PATIENCE) return found;
    throw new ToolsampleError('config', 'no demonstration of the warm start is short enough', {
      hint: 'raise max_prompt_length and max_completion_length, or choose easier levels',
    });
  };
}

/** A seed of its own for every phase: no phase repeats what another has shown. */
export function phaseSeed(seed: number, phase: number): number {
  return hashSeed(seed, 'warm start', phase);
}

/** A prompt and the completion to imitate as ids; null where one of them, or both together, are too long. */
export function tokenised(
  prompt: Prompt,
  completion: string,
  text: PolicyText,
  limits: LengthLimits,
): Demonstration | null {
  const promptIds = text.encodePrompt(prompt);
  const completionIds = text.encodeCompletion(completion);
  const fits =
    promptIds.length <= limits.maxPromptLength &&
    completionIds.length <= limits.maxCompletionLength &&
    promptIds.length + completionIds.length <= text.contextLength;
  return fits ? { promptIds, completionIds } : null;
}
