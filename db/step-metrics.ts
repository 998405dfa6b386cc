import type { StepMetrics } from '../contracts/metrics.ts';
import type { Database } from './connection.ts';
import { committedSteps, toStepStatus } from './step-status.ts';

/** The committed steps of a run in order, with every number that is kept of them. */
export async function stepMetrics(db: Database, run: string): Promise<StepMetrics[]> {
  let generatedTokensInAll = 0;
  return (await committedSteps(db, run, 0)).map((row) => {
    const { step } = row;
    generatedTokensInAll += step.generatedTokens ?? 0;
    return {
      ...toStepStatus(row),
      epoch: step.epoch,
      committedAt: (step.committedAt ?? step.startedAt).toISOString(),
      active: step.active,
      rounds: step.rounds,
      completions: step.completions,
      exactMatch: step.exactMatch,
      scores: {
        format: step.rewardsFormatMean,
        name: step.rewardsNameMean,
        key: step.rewardsKeyMean,
        value: step.rewardsValueMean,
      },
      weightedReward: step.weightedReward,
      completionsMeanLength: step.completionsMeanLength,
      completionsClippedRatio: step.completionsClippedRatio,
      generatedTokensInAll,
      gradNorm: step.gradNorm,
      learningRate: step.learningRate,
      entropy: step.entropy,
      kl: step.kl,
      clipRatioLow: step.clipRatioLow,
      clipRatioHigh: step.clipRatioHigh,
      samplingLogpDifference: step.samplingLogpDifference,
      trainedTokens: step.trainedTokens,
    };
  });
}
