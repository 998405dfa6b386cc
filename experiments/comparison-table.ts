import type { ArmResult, Estimate } from './compare-arms.ts';

/** A comparison as rows of text, for a terminal and for markdown alike. */
export interface ComparisonTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The numbers that settle an argument: how good, how soon, and how sure. Intervals are 95%, over seeds. */
export function comparisonTable(results: readonly ArmResult[]): ComparisonTable {
  return {
    header: [
      'arm',
      'seeds',
      'reward',
      'exact match',
      'difference in reward',
      'on the way',
      'tokens to baseline',
      'reached',
      'tokens saved',
      'no variance',
      'steps',
    ],
    rows: results.map((result) => [
      result.arm,
      String(result.seeds.length),
      estimateText(result.reward, (value) => value.toFixed(3)),
      estimateText(result.exactMatch, percent),
      result.paired === null ? 'baseline' : estimateText(result.paired.reward, signed),
      result.paired === null ? '' : estimateText(result.paired.onTheWay, signed),
      atLeast(result) + estimateText(result.tokensToBaseline, thousands),
      result.tokensToBaseline.n === 0 ? '' : `${result.reached}/${result.tokensToBaseline.n}`,
      result.paired === null ? '' : estimateText(result.paired.tokensSaved, percent),
      percent(result.zeroVariance.mean),
      result.steps.mean.toFixed(0),
    ]),
  };
}

/** What the columns of {@link comparisonTable} mean. */
export const TABLE_NOTES = [
  'reward, exact match: at the end, on the first held-out split. ±: 95% interval of the mean over seeds (Student’s t).',
  'difference in reward, on the way, tokens saved: against the baseline’s run of the same seed.',
  'on the way: difference in the mean reward over the whole run, which is the area between two learning curves.',
  'tokens to baseline: generated until the held-out reward was the one that the baseline’s run of the same seed ends with. A seed that never got there counts with all its tokens (≥).',
  'tokens saved: without the seeds whose baseline ends no better than it began.',
  'no variance: share of the groups rolled out whose rewards are all equal.',
] as const;

/**
 * The table as markdown.
 * @param notes - What is particular to this comparison, such as the settings of single samplers.
 */
export function comparisonMarkdown(table: ComparisonTable, notes: readonly string[]): string {
  return [
    markdownLine(table.header),
    `|${table.header.map((_, column) => (column === 0 ? ' --- ' : ' --: ')).join('|')}|`,
    ...table.rows.map(markdownLine),
    '',
    ...[...notes, ...TABLE_NOTES].map((note) => `- ${note}`),
    '',
  ].join('\n');
}

function markdownLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function estimateText({ mean, high, n }: Estimate, text: (value: number) => string): string {
  if (n === 0) return '';
  // The half-width is no difference of its own: it has no sign.
  return high === null ? text(mean) : `${text(mean)} ± ${text(high - mean).replace('+', '')}`;
}

function atLeast({ reached, tokensToBaseline }: ArmResult): string {
  return reached < tokensToBaseline.n ? '≥ ' : '';
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${value.toFixed(3)}`;
}

function thousands(tokens: number): string {
  return `${(tokens / 1000).toFixed(1)}k`;
}
