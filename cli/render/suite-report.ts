import type {
  AggregateScore,
  EvaluationReport,
  PartResult,
} from '../../contracts/suite-evaluation.ts';
import { SUB_TASKS } from '../../contracts/reward.ts';
import { count, counted, duration, percent, table, type Paint } from './text.ts';

/** What an evaluation on a suite came to, as lines for a terminal. */
export function reportLines(report: EvaluationReport, paint: Paint): readonly string[] {
  const { policy, suite, data, parts, aggregates, limit, badRows, folder } = report;
  const seconds = parts.reduce((sum, part) => sum + part.seconds, 0);
  const tokens = parts.reduce((sum, part) => sum + part.completionTokens, 0);
  const subset = limit === null ? '' : `, the first ${count(limit)} of each`;
  const tooLong = parts.reduce((sum, part) => sum + part.tooLong, 0);
  return [
    `${policy} on ${suite === 'bfcl' ? 'BFCL' : data}${subset}`,
    '',
    ...(suite === 'bfcl' ? bfclTable(parts, paint) : samplesTable(parts, paint)),
    ...(aggregates.length === 0 ? [] : ['', ...aggregateTable(aggregates, paint)]),
    '',
    `${count(tokens)} tokens in ${duration(seconds)}; intervals are of 95%`,
    ...(tooLong === 0
      ? []
      : [`${counted(tooLong, 'prompt')} fill the policy's context: ${notAsked(suite)}`]),
    ...(badRows === 0 ? [] : [`${counted(badRows, 'bad row')} left out`]),
    ...(folder === null ? [] : [`Files: ${folder}`]),
  ];
}

function notAsked(suite: EvaluationReport['suite']): string {
  return suite === 'bfcl'
    ? 'judged as calling nothing, which is right for irrelevance alone'
    : 'counted as wrong';
}

function bfclTable(parts: readonly PartResult[], paint: Paint): string[] {
  const rows = parts.map((part) => [
    part.part,
    count(part.correct),
    count(part.answered),
    ...accuracyCells(part),
  ]);
  return table(['category', 'right', 'of', 'accuracy', '95% interval'], rows, { paint });
}

function accuracyCells({ accuracy, accuracyLow, accuracyHigh }: PartResult): string[] {
  return [percent(accuracy), `[${percent(accuracyLow)}, ${percent(accuracyHigh)}]`];
}

function samplesTable(parts: readonly PartResult[], paint: Paint): string[] {
  return parts.flatMap((part) => {
    const [match = '', interval = ''] = accuracyCells(part);
    const reward =
      part.reward === null
        ? []
        : [
            [
              'reward',
              part.reward.toFixed(3),
              part.rewardLow === null || part.rewardHigh === null
                ? ''
                : `[${part.rewardLow.toFixed(3)}, ${part.rewardHigh.toFixed(3)}]`,
            ],
          ];
    const scores = SUB_TASKS.map((task) => [task, (part.scores?.[task] ?? 0).toFixed(3), '']);
    const rows = [['exact match', match, interval], ...reward, ...scores];
    return table([`n = ${count(part.answered)}`, 'mean', '95% interval'], rows, { paint });
  });
}

function aggregateTable(aggregates: readonly AggregateScore[], paint: Paint): string[] {
  const rows = aggregates.map(({ version, name, accuracy, notRun }) => [
    `${version} ${name}`,
    percent(accuracy),
    notRun.join(', '),
  ]);
  return table(["by BFCL's rules", 'accuracy', 'not run, counted as 0'], rows, {
    left: [0, 2],
    paint,
  });
}
