import { SUB_TASKS, type PerSubTask } from '../../contracts/reward.ts';
import type { ToolCall } from '../../contracts/sample.ts';
import type { RunReader } from '../../run-reader.ts';
import { lastRequest } from '../example.ts';
import { block } from './outcome.ts';
import { table, type Paint } from './text.ts';

export type GroupReport = Awaited<ReturnType<RunReader['rollouts']>>[number];
type CompletionReport = GroupReport['completions'][number];

/** What each sub-task adds to a completion's reward. The points of all, less 3 where a call was asked for, are the reward. */
export interface RewardPart {
  readonly score: number;
  /** Points with all weights 1, of how many. */
  readonly points: number;
  readonly most: number;
  /** Points under the step's weights. */
  readonly weightedPoints: number;
}

/**
 * Takes a reward apart (spec §1 and §2): format is worth 1 point, names, keys and values share 6 by how many there are in
 * the ground truth; weights move points between them within the same 7. Without a call in the ground truth format is all.
 */
export function rewardParts(
  scores: PerSubTask,
  calls: readonly ToolCall[],
  weights: PerSubTask,
): PerSubTask<RewardPart> {
  const keys = calls.reduce((sum, { parameters }) => sum + Object.keys(parameters).length, 0);
  const counted = calls.length === 0 ? 0 : 1 + calls.length + keys;
  const shared = (count: number): number => (counted === 0 ? 0 : (6 * count) / counted);
  const most: PerSubTask = {
    format: 1,
    name: shared(1),
    key: shared(calls.length),
    value: shared(keys),
  };
  const weighted = SUB_TASKS.reduce((sum, task) => sum + weights[task] * most[task], 0);
  // Without a call weights change nothing: format is worth its one point.
  const scale = counted === 0 ? 1 / weights.format : 7 / weighted;
  const part = (task: keyof PerSubTask): RewardPart => ({
    score: scores[task],
    points: most[task] * scores[task],
    most: most[task],
    weightedPoints: scale * weights[task] * most[task] * scores[task],
  });
  return { format: part('format'), name: part('name'), key: part('key'), value: part('value') };
}

/** A group: what was asked and expected, then every completion with its reward taken apart. */
export function groupLines(group: GroupReport, weights: PerSubTask, paint: Paint): string[] {
  const fate =
    group.state === 'kept'
      ? 'trained on'
      : `${group.state}${group.dropReason === null ? '' : `: ${group.dropReason}`}`;
  return [
    paint.bold(
      `${group.sample.id}  (${group.category}, importance ${group.importance.toFixed(2)}, ${fate})`,
    ),
    ...block('request', lastRequest(group.sample.messages)),
    ...block('expected', group.sample.groundTruth),
    ...group.completions.flatMap((completion) => [
      '',
      ...completionLines(group, completion, weights, paint),
    ]),
  ];
}

function completionLines(
  group: GroupReport,
  completion: CompletionReport,
  weights: PerSubTask,
  paint: Paint,
): string[] {
  const cut = completion.finishReason === 'length' ? ', cut off' : '';
  const title = `completion ${completion.index} (${completion.completionTokens} tokens${cut})`;
  return [
    ...block(paint.cyan(title), completion.completion),
    ...rewardLines(group, completion, weights, paint).map((line) => `    ${line}`),
  ];
}

function rewardLines(
  group: GroupReport,
  completion: CompletionReport,
  weights: PerSubTask,
  paint: Paint,
): string[] {
  const { reward, weightedReward, advantage } = completion;
  const scores = knownScores(completion);
  if (scores === null || reward === null || weightedReward === null) return ['not scored yet'];
  const parts = rewardParts(scores, group.sample.calls, weights);
  const base = group.sample.calls.length === 0 ? 0 : -3;
  return [
    ...table(
      ['', 'score', 'points', 'of', 'weight', 'weighted'],
      [
        ...SUB_TASKS.map((task) => [
          task,
          parts[task].score.toFixed(2),
          parts[task].points.toFixed(2),
          parts[task].most.toFixed(2),
          weights[task].toFixed(2),
          parts[task].weightedPoints.toFixed(2),
        ]),
        ['base', '', base.toFixed(2), '', '', base.toFixed(2)],
        ['reward', '', reward.toFixed(2), '', '', weightedReward.toFixed(2)],
      ],
      { paint },
    ),
    ...(advantage === null ? [] : [`advantage ${advantage.toFixed(3)}`]),
  ];
}

function knownScores({ scores }: CompletionReport): PerSubTask | null {
  const { format, name, key, value } = scores;
  return format === null || name === null || key === null || value === null
    ? null
    : { format, name, key, value };
}
