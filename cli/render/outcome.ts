import { originText } from '../../contracts/fork.ts';
import { SUB_TASKS } from '../../contracts/reward.ts';
import { stateText, type EvaluationStatus, type RunStatus } from '../../contracts/run-status.ts';
import { shellQuery, shellWord } from '../../contracts/shell-word.ts';
import { dataText } from './data-lines.ts';
import { requestLines } from './requests.ts';
import { count, duration, percent, printable, table, type Paint } from './text.ts';

/** One held-out task with the policy's answer before and after training. */
export interface Example {
  readonly sampleId: string;
  readonly split: string;
  /** What the user of the task asked for. */
  readonly request: string;
  readonly expected: string;
  readonly before: Answer;
  readonly after: Answer;
}

interface Answer {
  readonly completion: string;
  readonly exactMatch: boolean;
  readonly reward: number;
}

/** How long a part of the command took, in seconds. */
export interface Timing {
  readonly part: string;
  readonly seconds: number;
}

/** First and last evaluation of one split. */
export interface BeforeAfter {
  readonly split: string;
  readonly before: EvaluationStatus;
  readonly after: EvaluationStatus;
}

/** Splits that were evaluated before training and again later, in the order in which they first appear. */
export function beforeAndAfter(evaluations: readonly EvaluationStatus[]): BeforeAfter[] {
  const splits = [...new Set(evaluations.map(({ split }) => split))];
  return splits.flatMap((split) => {
    const ofSplit = evaluations.filter((evaluation) => evaluation.split === split);
    const before = ofSplit.find(({ step }) => step === 0);
    const after = ofSplit.reduce<EvaluationStatus | undefined>(
      (latest, evaluation) =>
        latest === undefined || evaluation.step > latest.step ? evaluation : latest,
      undefined,
    );
    return before === undefined || after === undefined || after.step === 0
      ? []
      : [{ split, before, after }];
  });
}

/** What a run achieved: a table for each split. */
export function resultTable(evaluations: readonly EvaluationStatus[], paint: Paint): string[] {
  return beforeAndAfter(evaluations).flatMap(({ split, before, after }, index) => [
    ...(index > 0 ? [''] : []),
    ...table(
      [`${split}, n = ${after.n}`, 'before', `after step ${after.step}`, 'change'],
      [
        [
          'exact match',
          withInterval(before),
          withInterval(after),
          `${signed((after.exactMatch - before.exactMatch) * 100, 1)} points`,
        ],
        ['reward', rewardText(before), rewardText(after), signed(after.reward - before.reward, 2)],
        ...SUB_TASKS.map((task) =>
          numberRow(SUB_TASK_TITLES[task], before.scores[task], after.scores[task]),
        ),
      ],
      { paint },
    ),
  ]);
}

const SUB_TASK_TITLES = { format: 'format', name: 'names', key: 'keys', value: 'values' } as const;

function numberRow(title: string, before: number, after: number): string[] {
  return [title, before.toFixed(3), after.toFixed(3), signed(after - before, 3)];
}

function withInterval({ exactMatch, exactMatchLow, exactMatchHigh }: EvaluationStatus): string {
  return `${percent(exactMatch)} [${percent(exactMatchLow)}, ${percent(exactMatchHigh)}]`;
}

function rewardText({ reward, rewardLow, rewardHigh }: EvaluationStatus): string {
  return `${reward.toFixed(2)} [${rewardLow.toFixed(2)}, ${rewardHigh.toFixed(2)}]`;
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
}

/** One task, its answer before and after. */
export function exampleLines(example: Example, paint: Paint): string[] {
  return [
    paint.bold(`One held-out task (${example.split}, ${printable(example.sampleId)})`),
    ...block('request', example.request),
    ...block('expected', example.expected),
    ...block(`before (reward ${example.before.reward.toFixed(2)})`, example.before.completion),
    ...block(`after (reward ${example.after.reward.toFixed(2)})`, example.after.completion),
  ];
}

/** A titled text, indented; safe to print whatever it holds. */
export function block(title: string, text: string): string[] {
  return [
    `  ${title}`,
    ...printable(text)
      .split('\n')
      .map((line) => `    ${line}`),
  ];
}

/** `Took: services 3.1 s · training 1:12 · …`. */
export function timingLine(timings: readonly Timing[]): string {
  return `Took: ${timings
    .map(({ part, seconds }) =>
      seconds < 60 ? `${part} ${seconds.toFixed(1)} s` : `${part} ${duration(seconds)}`,
    )
    .join(' · ')}`;
}

/** What to do next with a completed run: commands without the program's name. */
export function nextCommands({ run, step }: Pick<RunStatus, 'run' | 'step'>): string[] {
  return [
    'ui',
    `rollouts ${shellWord(run)} --step ${step}`,
    `sql ${shellQuery('select * from learning_curve where run = ', run, ' order by step')}`,
    'down',
  ];
}

/** A run's present state in full, for `status`. */
export function statusLines(status: RunStatus, paint: Paint): string[] {
  const { lastStep } = status;
  return [
    `${paint.bold(status.run)}  ${stateText(status)}${status.reason === null ? '' : ` (${printable(status.reason)})`}`,
    ...(status.forkOf === null ? [] : [`fork of ${originText(status.forkOf)}`]),
    `data: ${dataText(status.data)}`,
    `epoch ${status.epoch}, step ${status.step} of ${status.totalSteps}, ${count(status.generatedTokens)} tokens generated`,
    `started ${status.startedAt}${status.finishedAt === null ? '' : `, ended ${status.finishedAt}`}`,
    ...(lastStep === null
      ? []
      : [
          `last step: reward ${lastStep.reward.toFixed(2)} ± ${lastStep.rewardStd.toFixed(2)}, ${lastStep.keptGroups} of ${lastStep.groups} groups kept`,
        ]),
    ...(status.policyFolder === null
      ? []
      : [`policy ${status.policyFolder}`, `sha256 ${status.policySha256 ?? ''}`]),
    ...requestLines(status, paint),
    ...evaluationTable(status.evaluations, paint),
  ];
}

function evaluationTable(evaluations: readonly EvaluationStatus[], paint: Paint): string[] {
  if (evaluations.length === 0) return [];
  return [
    '',
    ...table(
      ['split', 'step', 'n', 'exact match', 'reward', 'format', 'names', 'keys', 'values'],
      evaluations.map((evaluation) => [
        evaluation.split,
        String(evaluation.step),
        String(evaluation.n),
        withInterval(evaluation),
        evaluation.reward.toFixed(2),
        ...SUB_TASKS.map((task) => evaluation.scores[task].toFixed(2)),
      ]),
      { paint },
    ),
  ];
}
