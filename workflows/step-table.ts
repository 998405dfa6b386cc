import type {
  CurriculumSummary,
  EvaluationSummary,
  GradientSummary,
  ScoreSummary,
} from '../contracts/activities.ts';

/** One committed step, as the Temporal UI shows it. */
export interface StepRow {
  readonly step: number;
  /** Mean unweighted reward of all completions. */
  readonly reward: number;
  /** Its standard deviation within a group, on average. Of the first round alone where an older version trained the step. */
  readonly rewardStd: number;
  readonly kept: number;
  readonly groups: number;
  readonly mastery: string;
  readonly weights: string;
  readonly tokens: number;
  /** Null: skipped, no group was kept. */
  readonly loss: number | null;
}

/** One evaluation, as the Temporal UI shows it. */
export interface EvaluationRow extends EvaluationSummary {
  readonly step: number;
  readonly split: string;
}

/** Rows that stay visible: the server keeps current details below 20 kB. */
export const VISIBLE_ROWS = 50;

export function stepRow(
  step: number,
  firstScore: ScoreSummary,
  curriculum: CurriculumSummary,
  gradient: GradientSummary,
): StepRow {
  return {
    step,
    reward: gradient.reward,
    rewardStd: gradient.rewardStd ?? firstScore.rewardStd,
    kept: gradient.keptGroups,
    groups: gradient.groups,
    mastery: curriculum.mastery,
    weights: curriculum.weights,
    tokens: gradient.generatedTokens,
    loss: gradient.skipped ? null : gradient.loss,
  };
}

/** The last steps in markdown, newest first. */
export function stepTable(rows: readonly StepRow[]): string {
  const lines = rows
    .slice(-VISIBLE_ROWS)
    .toReversed()
    .map((row) =>
      tableLine([
        row.step,
        unbroken(`${row.reward.toFixed(2)} ± ${row.rewardStd.toFixed(2)}`),
        `${row.kept}/${row.groups}`,
        numbersOf(row.mastery),
        numbersOf(row.weights),
        row.tokens,
        row.loss === null ? 'skipped' : row.loss.toFixed(3),
      ]),
    );
  return [
    'Mastery and weights are of format, name, key and value.',
    '',
    tableLine(['step', 'reward', 'kept', 'mastery', 'weights', 'tokens', 'loss']),
    '|--:|--:|--:|:-:|:-:|--:|--:|',
    ...lines,
  ].join('\n');
}

/** Evaluations with newer ones: one that is repeated counts once. */
export function withEvaluations(
  rows: readonly EvaluationRow[],
  newer: readonly EvaluationRow[],
): EvaluationRow[] {
  const known = new Set(newer.map(({ step, split }) => `${step}/${split}`));
  return visibleEvaluations([
    ...rows.filter(({ step, split }) => !known.has(`${step}/${split}`)),
    ...newer,
  ]);
}

/** The evaluations before training and the last ones; a workflow's payloads must not grow with the run. */
function visibleEvaluations(rows: readonly EvaluationRow[]): EvaluationRow[] {
  const before = rows.filter((row) => row.step === 0);
  return [...before, ...rows.filter((row) => row.step > 0).slice(-VISIBLE_ROWS)];
}

/** Evaluations in markdown, oldest first, so that the first line is the one before training. */
export function evaluationTable(rows: readonly EvaluationRow[]): string {
  const lines = rows.map((row) =>
    tableLine([
      row.step,
      row.split,
      `${percent(row.exactMatch)} (${percent(row.exactMatchLow)} to ${percent(row.exactMatchHigh)})`,
      row.reward.toFixed(3),
      row.n,
    ]),
  );
  return [
    tableLine(['step', 'split', 'exact match (95%)', 'reward', 'tasks']),
    '|--:|---|---|--:|--:|',
    ...lines,
  ].join('\n');
}

/** A share in the form `76.3%`. */
function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

/** `.93 .76 .71 .82` of `format .93 · name .76 · key .71 · value .82`: the UI's table is narrow. */
function numbersOf(text: string): string {
  return unbroken(text.replaceAll(/[a-z]+ |· /g, ''));
}

/** The UI breaks lines in a cell otherwise. */
function unbroken(text: string): string {
  return text.replaceAll(' ', '\u00A0');
}

/** The UI puts no space between columns: cells bring their own. */
function tableLine(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => `\u00A0${cell}\u00A0`).join(' | ')} |`;
}
