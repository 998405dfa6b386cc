import { inspectData, rewriteData, splitData, type SplitOptions } from '../../client/data-files.ts';
import { dataReportLines } from '../render/data-report.ts';
import { counted } from '../render/text.ts';
import type { Terminal } from '../terminal.ts';

/** Where a `data` command prints, and how. */
export interface DataContext {
  readonly terminal: Terminal;
  /** Print JSON instead of text. */
  readonly json: boolean;
}

/** `toolsample data inspect FILE`: what a file of samples holds. */
export async function inspect(
  { terminal, json }: DataContext,
  file: string,
  policy: string | undefined,
): Promise<void> {
  const report = await inspectData(file, policy);
  if (json) terminal.print(JSON.stringify(report, null, 2));
  else for (const line of dataReportLines(report, terminal.paint)) terminal.print(line);
}

/** `toolsample data convert` and `data dedupe`: the samples as OpenAI JSON lines. */
export async function rewrite(
  { terminal, json }: DataContext,
  from: string,
  to: string,
  options: { readonly maxBadRows: number; readonly dedupe: boolean },
): Promise<void> {
  const result = await rewriteData(from, to, options);
  if (json) {
    terminal.print(JSON.stringify(result, null, 2));
    return;
  }
  const { written, duplicates, badRows } = result;
  const left = options.dedupe ? `, ${counted(duplicates, 'duplicate')} left out` : '';
  terminal.print(
    `wrote ${counted(written.samples, 'sample')} to ${written.file}${left}${bad(badRows)}`,
  );
}

/** `toolsample data split`: two files, the second of tools that the first does not show. */
export async function split(
  { terminal, json }: DataContext,
  from: string,
  options: SplitOptions,
): Promise<void> {
  const result = await splitData(from, options);
  if (json) {
    terminal.print(JSON.stringify(result, null, 2));
    return;
  }
  const { train, heldOut, mixed, heldOutTools, trainTools, badRows } = result;
  terminal.print(
    `train     ${counted(train.samples, 'sample')}, ${counted(trainTools, 'tool')}: ${train.file}`,
  );
  terminal.print(
    `held out  ${counted(heldOut.samples, 'sample')}, ${counted(heldOutTools.length, 'tool')} that train does not show: ${heldOut.file}`,
  );
  if (mixed > 0) {
    terminal.print(
      `neither   ${counted(mixed, 'sample')} with a held-out tool on offer, where another one or none is called`,
    );
  }
  if (badRows > 0) terminal.print(`left out  ${counted(badRows, 'bad row')}`);
}

const bad = (rows: number): string => (rows === 0 ? '' : `, ${counted(rows, 'bad row')} left out`);
