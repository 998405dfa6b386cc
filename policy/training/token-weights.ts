import type { ObjectiveOptions } from '../../contracts/policy.ts';

/** A sequence as far as averaging looks at it. */
export interface WeighedSequence {
  readonly completionIds: readonly number[];
  readonly masked: boolean;
}

/**
 * The weight of each token of each sequence in the sum that is the loss; names as in TRL. With the weights fixed for the whole
 * batch, micro-batches add up to exactly the loss of the batch. Masked sequences weigh 0.
 *
 * - `dapo`, `bnpo`: 1 / active tokens of the batch (they differ only where several processes share a batch).
 * - `grpo`: 1 / (sequences · tokens of the sequence), masked sequences counted.
 * - `dr_grpo`: 1 / (sequences · maxCompletionLength), masked sequences counted.
 * @returns one weight per sequence, for each of its tokens.
 */
export function tokenWeights(
  sequences: readonly WeighedSequence[],
  { lossType, maxCompletionLength }: Pick<ObjectiveOptions, 'lossType' | 'maxCompletionLength'>,
): number[] {
  const active = sequences
    .filter(({ masked }) => !masked)
    .reduce((sum, { completionIds }) => sum + completionIds.length, 0);
  return sequences.map(({ completionIds, masked }) => {
    if (masked) return 0;
    if (lossType === 'grpo') return 1 / (sequences.length * completionIds.length);
    if (lossType === 'dr_grpo') return 1 / (sequences.length * maxCompletionLength);
    return 1 / active;
  });
}
