import type {
  CurriculumSummary,
  EvaluationSummary,
  GradientSummary,
  ScoreSummary,
} from '../contracts/activities.ts';

/** One committed step, as the Temporal UI shows it. */
export interface StepRow {
  readonly step: number;
  /** Mean unweighted reward of the step's first round. */
  readonly reward: number;
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
  score: ScoreSummary,
  curriculum: CurriculumSummary,
  gradient: GradientSummary,
): StepRow {
  return {
    step,
    reward: gradient.reward,
    rewardStd: score.rewardStd,
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
        row.reward.toFixed(3),
        row.rewardStd.toFixed(3),
        `${row.kept} of ${row.groups}`,
        row.mastery,
        row.weights,
        row.tokens,
        row.loss === null ? 'skipped' : row.loss.toFixed(4),
      ]),
    );
  return [
    tableLine(['step', 'reward', 'std', 'groups kept', 'mastery', 'weights', 'tokens', 'loss']),
    tableLine(['--:', '--:', '--:', '--:', '---', '---', '--:', '--:']),
    ...lines,
  ].join('\n');
}

/** The evaluations before training and the last ones; a workflow's payloads must not grow with the run. */
export function visibleEvaluations(rows: readonly EvaluationRow[]): EvaluationRow[] {
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
    tableLine(['--:', '---', '---', '--:', '--:']),
    ...lines,
  ].join('\n');
}

/** A share in the form `76.3%`. */
function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function tableLine(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}
