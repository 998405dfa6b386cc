import { SUB_TASKS, type PerSubTask, type ValueMatch } from '../../contracts/reward.ts';
import { lastRequest } from '../../contracts/sample.ts';
import { rewardBase, rewardParts } from '../../dscl/reward-parts.ts';
import { callCapacities } from '../../dscl/reward.ts';
import type { RunReader } from '../../client/run-reader.ts';
import { block } from './outcome.ts';
import { printable, table, type Paint } from './text.ts';

export type GroupReport = Awaited<ReturnType<RunReader['rollouts']>>[number];
type CompletionReport = GroupReport['completions'][number];

/** How a step's completions were scored. */
export interface Scoring {
  readonly weights: PerSubTask;
  readonly valueMatch: ValueMatch;
}

/** A group: what was asked and expected, then every completion with its reward taken apart. */
export function groupLines(group: GroupReport, scoring: Scoring, paint: Paint): string[] {
  const fate =
    group.state === 'kept'
      ? 'trained on'
      : `${group.state}${group.dropReason === null ? '' : `: ${group.dropReason}`}`;
  return [
    paint.bold(
      `${printable(group.sample.id)}  (${group.category}, importance ${group.importance.toFixed(2)}, ${fate})`,
    ),
    ...block('request', lastRequest(group.sample.messages)),
    ...block('expected', group.sample.groundTruth),
    ...group.completions.flatMap((completion) => [
      '',
      ...completionLines(group, completion, scoring, paint),
    ]),
  ];
}

function completionLines(
  group: GroupReport,
  completion: CompletionReport,
  scoring: Scoring,
  paint: Paint,
): string[] {
  const cut = completion.finishReason === 'length' ? ', cut off' : '';
  const title = `completion ${completion.index} (${completion.completionTokens} tokens${cut})`;
  return [
    ...block(paint.cyan(title), completion.completion),
    ...rewardLines(group, completion, scoring, paint).map((line) => `    ${line}`),
  ];
}

function rewardLines(
  group: GroupReport,
  completion: CompletionReport,
  { weights, valueMatch }: Scoring,
  paint: Paint,
): string[] {
  const { reward, weightedReward, advantage } = completion;
  const scores = knownScores(completion);
  if (scores === null || reward === null || weightedReward === null) return ['not scored yet'];
  const capacities = callCapacities(group.sample, valueMatch);
  const parts = rewardParts(scores, capacities, weights);
  const base = rewardBase(capacities);
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
