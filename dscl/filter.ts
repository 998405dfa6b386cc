/**
 * Whether a group can move the policy: not all its weighted rewards are exactly equal, or every advantage would be 0. A
 * group without signal is dropped from the update; its statistics are kept. [DAPO; ours for multi-valued rewards]
 */
export function hasSignal(weightedRewards: readonly number[]): boolean {
  return weightedRewards.some((reward) => reward !== weightedRewards[0]);
}

/** Groups that a step rolls out at first: `oversample` times the batch, as far as the corpus reaches. */
export function firstRoundGroups(
  trainBatchSize: number,
  oversample: number,
  corpusSamples: number,
): number {
  return Math.min(corpusSamples, oversampled(trainBatchSize, oversample));
}

export interface BackfillSituation {
  /** Groups kept so far in the step. */
  readonly kept: number;
  /** Groups wanted: the batch size. */
  readonly wanted: number;
  /** The round just filtered; 0 is the first. */
  readonly round: number;
  readonly maxBackfillRounds: number;
  readonly oversample: number;
  /** Candidates that the step has not rolled out yet. */
  readonly remaining: number;
}

/**
 * How many groups a next round rolls out: what is missing, oversampled; 0 when enough are kept or no round or candidate is left.
 * The step then trains on what was kept: running dry is no failure. [ours]
 */
export function backfillGroups(situation: BackfillSituation): number {
  const { kept, wanted, round, maxBackfillRounds, oversample, remaining } = situation;
  if (kept >= wanted || round >= maxBackfillRounds) return 0;
  return Math.min(remaining, oversampled(wanted - kept, oversample));
}

/** Rounded up, but not for a rounding error: 10 × 1.1 is 11 groups. */
function oversampled(groups: number, oversample: number): number {
  return Math.ceil(groups * oversample - 1e-9);
}
