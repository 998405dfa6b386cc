import { cutText } from '../../contracts/cut-text.ts';
import type { CompletionDetail, GroupDetail } from '../../contracts/dashboard.ts';
import type { PerSubTask, RewardBreakdown, ValueMatch } from '../../contracts/reward.ts';
import type { StepGroup } from '../../db/step-groups.ts';
import { compareCalls } from '../../dscl/call-comparison.ts';
import { rewardBase, rewardParts } from '../../dscl/reward-parts.ts';
import { callCapacities } from '../../dscl/reward.ts';
import { LONGEST_TEXT, shownTask } from './shown-task.ts';

type Completion = StepGroup['completions'][number];

/** A group with each completion's reward taken apart and its calls compared. Texts are cut, never interpreted. */
export function groupDetail(group: StepGroup, valueMatch: ValueMatch): GroupDetail {
  const { summary, sample, weights } = group;
  const capacities = callCapacities(sample, valueMatch);
  return {
    summary,
    ...shownTask(sample),
    weights,
    base: rewardBase(capacities),
    completions: group.completions.map((completion): CompletionDetail => ({
      index: completion.index,
      text: cutText(completion.completion, LONGEST_TEXT),
      tokens: completion.completionTokens,
      finishReason: completion.finishReason,
      reward: completion.reward,
      weightedReward: completion.weightedReward,
      exactMatch: completion.exactMatch,
      advantage: completion.advantage,
      parts: partsOf(completion, capacities, weights),
      calls: compareCalls(completion.completion, sample, valueMatch),
    })),
  };
}

function partsOf(
  { scoreFormat: format, scoreName: name, scoreKey: key, scoreValue: value }: Completion,
  capacities: RewardBreakdown['capacities'],
  weights: PerSubTask,
): CompletionDetail['parts'] {
  return format === null || name === null || key === null || value === null
    ? null
    : rewardParts({ format, name, key, value }, capacities, weights);
}
