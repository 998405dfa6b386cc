import { elementCount, tensorSpecs, type ModelTraits } from '../policy/models/model-traits.ts';
import { loraSpecs } from '../policy/models/lora.ts';

/*
 * Floating-point operations that a policy's arithmetic needs, counted from its shape: a multiplication and an addition for
 * each weight that a token meets, and attention over what a token may see. Norms, biases, activations, softmax, the sampler
 * and the optimiser are left out, and so is everything computed on padding or masked away: a share of the roofline cannot be
 * raised by computing what nobody needs.
 */

/** What a forward pass computes. */
export interface ForwardWork {
  /** Tokens that go through the layers. */
  readonly tokens: number;
  /** Positions that each of them sees, itself included, summed over the tokens. */
  readonly seen: number;
  /** Tokens whose logits are computed. */
  readonly predicted: number;
}

/** Parts of a forward pass that differ in what their backward pass costs. */
interface ForwardParts {
  readonly projections: number;
  readonly attention: number;
  readonly head: number;
}

/** Token and completion counts of prompts that share a prefill. */
export interface CompletedPrompt {
  readonly promptTokens: number;
  /** Tokens of each completion. */
  readonly completions: readonly number[];
}

/** Work of a causal pass over a whole sequence. */
export function sequenceWork(tokens: number, predicted: number): ForwardWork {
  return { tokens, seen: (tokens * (tokens + 1)) / 2, predicted };
}

/** Work of completing prompts: each prompt once, whatever the number of its completions; each token but the last goes in again. */
export function completionWork(prompts: readonly CompletedPrompt[]): ForwardWork {
  return sumWork(
    prompts.flatMap(({ promptTokens, completions }) => [
      sequenceWork(promptTokens, 1),
      ...completions.map((tokens) => {
        const again = tokens - 1;
        const whole = sequenceWork(promptTokens + again, 0);
        return {
          tokens: again,
          seen: whole.seen - sequenceWork(promptTokens, 0).seen,
          predicted: again,
        };
      }),
    ]),
  );
}

/** Work of a pass over prompts and completions in which each prompt's tokens go in once, but its last, which opens each completion. */
export function sharedPromptWork(prompts: readonly CompletedPrompt[]): ForwardWork {
  return sumWork(
    prompts.flatMap(({ promptTokens, completions }) => {
      const shared = sequenceWork(promptTokens - 1, 0);
      return [
        shared,
        ...completions.map((tokens) => ({
          tokens,
          seen: sequenceWork(promptTokens - 1 + tokens, 0).seen - shared.seen,
          predicted: tokens,
        })),
      ];
    }),
  );
}

export function sumWork(parts: readonly ForwardWork[]): ForwardWork {
  return {
    tokens: parts.reduce((sum, part) => sum + part.tokens, 0),
    seen: parts.reduce((sum, part) => sum + part.seen, 0),
    predicted: parts.reduce((sum, part) => sum + part.predicted, 0),
  };
}

/** 2 FLOPs a weight and token; attention 4 · layers · query width a token and position seen (scores, and sums of values). */
export function forwardFlops(traits: ModelTraits, work: ForwardWork): number {
  const { projections, attention, head } = forwardParts(traits, work);
  return projections + attention + head;
}

/** Three times the forward pass: backward are the gradients of what goes in, and of the weights. */
export function trainingFlops(traits: ModelTraits, work: ForwardWork): number {
  return 3 * forwardFlops(traits, work);
}

/** Twice the frozen weights (no gradient of them), three times attention and adapters. */
export function loraTrainingFlops(traits: ModelTraits, rank: number, work: ForwardWork): number {
  const { projections, attention, head } = forwardParts(traits, work);
  const adapters = loraSpecs(traits, rank).reduce((sum, { dims }) => sum + elementCount(dims), 0);
  return 2 * (projections + head) + 3 * (attention + 2 * adapters * work.tokens);
}

function forwardParts(traits: ModelTraits, work: ForwardWork): ForwardParts {
  const { layers, heads, headDim, hidden, vocab } = traits;
  const projections = tensorSpecs(traits)
    .filter(({ role }) => role === 'projection' || role === 'residual-projection')
    .reduce((sum, { dims }) => sum + elementCount(dims), 0);
  return {
    projections: 2 * projections * work.tokens,
    attention: 4 * layers * heads * headDim * work.seen,
    head: 2 * vocab * hidden * work.predicted,
  };
}
