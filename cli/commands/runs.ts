import { originText } from '../../contracts/fork.ts';
import { openRuns } from '../../client/run-reader.ts';
import type { CommandContext } from '../program.ts';
import { count, percent, table } from '../render/text.ts';
import { stateText, type RunStatus } from '../../contracts/run-status.ts';

/** `toolsample runs`: all runs of the data folder, newest first. */
export async function listRuns({ terminal, home, json }: CommandContext): Promise<void> {
  const reader = await openRuns({ home, log: (message) => terminal.note(message) });
  try {
    const runs = await reader.runs();
    if (json) {
      terminal.print(JSON.stringify(runs, null, 2));
      return;
    }
    if (runs.length === 0) {
      terminal.print('no runs yet; `toolsample train` starts one');
      return;
    }
    const forks = runs.some(({ forkOf }) => forkOf !== null);
    const lines = table(
      [
        'run',
        'state',
        'started',
        'step',
        'tokens',
        'reward',
        'exact match',
        ...(forks ? ['fork of'] : []),
      ],
      runs.map((run) => [
        run.run,
        stateText(run),
        run.startedAt.slice(0, 16).replace('T', ' '),
        `${run.step}/${run.totalSteps}`,
        count(run.generatedTokens),
        run.lastStep?.reward.toFixed(2) ?? '',
        exactMatch(run),
        ...(forks ? [run.forkOf === null ? '' : originText(run.forkOf)] : []),
      ]),
      { paint: terminal.paint, left: [0, 1, 2, 7] },
    );
    for (const line of lines) terminal.print(line);
  } finally {
    await reader.close();
  }
}

/** The first split's first and last evaluation: `42.0% → 76.1%`. */
function exactMatch({ evaluations }: RunStatus): string {
  const ofSplit = evaluations.filter(({ split }) => split === evaluations[0]?.split);
  const [first, last] = [ofSplit[0], ofSplit.at(-1)];
  if (first === undefined || last === undefined) return '';
  return first === last
    ? percent(first.exactMatch)
    : `${percent(first.exactMatch)} → ${percent(last.exactMatch)}`;
}
