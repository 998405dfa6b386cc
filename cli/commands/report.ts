import { resolve } from 'node:path';
import { makeReport } from '../../dashboard/open-dashboard.ts';
import { replaceFile } from '../../services/durable-file.ts';
import { checkOutputFile } from '../output-place.ts';
import type { CommandContext } from '../program.ts';
import { fileSize } from '../render/text.ts';
import { findRunId } from '../run-reference.ts';

/** `toolsample report RUN [RUN…] -o FILE.html`: the dashboard's pages of some runs as one file. */
export async function report(
  { terminal, home, json }: CommandContext,
  references: readonly string[],
  { output }: { readonly output: string },
): Promise<void> {
  const file = resolve(output);
  await checkOutputFile(file);
  const { html, runs, leftOut } = await makeReport(
    { home, log: (message) => terminal.note(message) },
    (known) => [...new Set(references.map((reference) => findRunId(reference, known)))],
  );
  const bytes = Buffer.byteLength(html);
  replaceFile(file, html, 0o644);
  if (json) {
    terminal.print(JSON.stringify({ file, bytes, runs, leftOut }, null, 2));
    return;
  }
  terminal.print(`${file} (${fileSize(bytes)}): ${runs.join(', ')}`);
  for (const each of leftOut) terminal.note(`to keep it small it has only: ${each}`);
}
