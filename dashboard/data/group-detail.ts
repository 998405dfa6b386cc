import { cutText } from '../../contracts/cut-text.ts';
import type { CompletionDetail, GroupDetail } from '../../contracts/dashboard.ts';
import type { PerSubTask, RewardBreakdown, ValueMatch } from '../../contracts/reward.ts';
import type { ChatMessage } from '../../contracts/sample.ts';
import type { StepGroup } from '../../db/step-groups.ts';
import { compareCalls } from '../../dscl/call-comparison.ts';
import { rewardBase, rewardParts } from '../../dscl/reward-parts.ts';
import { callCapacities } from '../../dscl/reward.ts';

/** Characters of a message, a ground truth or a completion that are shown. */
const LONGEST_TEXT = 20_000;

type Completion = StepGroup['completions'][number];

/** A group with each completion's reward taken apart and its calls compared. Texts are cut, never interpreted. */
export function groupDetail(group: StepGroup, valueMatch: ValueMatch): GroupDetail {
  const { summary, sample, weights } = group;
  const capacities = callCapacities(sample, valueMatch);
  return {
    summary,
    messages: cutMessages(sample.messages),
    groundTruth: cutText(sample.groundTruth, LONGEST_TEXT),
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

/** Messages as far as they are shown. */
export function cutMessages(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map(({ role, content }) => ({ role, content: cutText(content, LONGEST_TEXT) }));
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
