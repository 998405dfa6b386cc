import type { FileCount, GarbageOptions, GarbageReport } from '../../contracts/garbage.ts';
import { openRuns } from '../../client/run-reader.ts';
import type { CommandContext } from '../program.ts';
import { count, fileSize, table } from '../render/text.ts';

/** `toolsample gc`: removes the artifacts to which no run refers, and says how much that is. */
export async function collectGarbage(
  { terminal, home, json }: CommandContext,
  options: GarbageOptions,
): Promise<void> {
  const reader = await openRuns({ home, log: (message) => terminal.note(message) });
  try {
    const report = await reader.collectGarbage(options);
    if (json) {
      terminal.print(JSON.stringify({ home, ...report }, null, 2));
      return;
    }
    const lines = table(['', 'files', 'size', ''], rows(report), {
      paint: terminal.paint,
      left: [0, 3],
    });
    for (const line of lines) terminal.print(line);
  } finally {
    await reader.close();
  }
}

function rows({ dryRun, olderThanHours, removed, kept }: GarbageReport): string[][] {
  const gone = dryRun ? 'would be removed' : 'removed';
  return [
    row(gone, removed.unused, 'no run refers to them'),
    row(gone, removed.unfinished, 'unfinished: their writers were killed'),
    row(gone, removed.damaged, 'damaged, and not needed or there again'),
    row('kept', kept.young, `no run refers to them yet: younger than ${olderThanHours} h`),
    row('kept', kept.used, 'runs refer to them'),
  ];
}

function row(what: string, { files, bytes }: FileCount, why: string): string[] {
  return [what, count(files), fileSize(bytes), why];
}
