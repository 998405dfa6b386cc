import { shellQuery } from '../../contracts/shell-word.ts';
import type { LeftOutRows, RunDataStatus } from '../../contracts/run-data.ts';
import type { RunStatus } from '../../contracts/run-status.ts';
import { count, counted } from './text.ts';

/** What `status` tells of a run's data, e.g. `4 samples to train on; left out of 13 rows: 1 bad; held out: 9 heldout`. */
export function dataText({ samples, promptLimit, leftOut, heldOut }: RunDataStatus): string {
  const held = heldOut.map((each) => `${count(each.samples)} ${each.split}`);
  return [
    `${counted(samples, 'sample')} to train on`,
    ...leftOut.map((part) => leftOutText(part, promptLimit)),
    `held out: ${held.length === 0 ? 'none — give --eval-data' : held.join(', ')}`,
  ].join('; ');
}

/**
 * What somebody who trains should know of the data before it has taken its time; empty where all of it is used and some is held out.
 * @param command - A command to suggest, with the program's name.
 */
export function dataNotice(
  { run, data }: Pick<RunStatus, 'run' | 'data'>,
  command: (text: string) => string,
): string[] {
  if (data.leftOut.length === 0 && data.heldOut.length > 0) return [];
  return [
    dataText(data),
    ...(data.leftOut.length === 0
      ? []
      : [`why rows are left out: ${command(`sql ${reasonsOf(run)}`)}`]),
  ];
}

/** The first of the rows that were left out, one a row, as a word of a command line. */
function reasonsOf(run: string): string {
  const row = ['row', 'field', 'reason'].map((name) => `x->>'${name}' as ${name}`).join(', ');
  const before = `select ${row} from events, json_array_elements(details->'examples') x where run = `;
  return shellQuery(before, run, " and kind = 'rejected-rows'");
}

function leftOutText(
  { part, rows, rejectedRows, overlongPrompts }: LeftOutRows,
  promptLimit: number,
): string {
  const reasons = [
    ...(overlongPrompts === 0
      ? []
      : [`${counted(overlongPrompts, 'prompt')} over ${count(promptLimit)} tokens`]),
    ...(rejectedRows === 0 ? [] : [`${count(rejectedRows)} bad`]),
  ];
  const of = part === 'train' ? '' : ` of ${part}`;
  return `left out of ${counted(rows, 'row')}${of}: ${reasons.join(', ')}`;
}
