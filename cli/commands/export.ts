import type { ExportedPolicy, ExportOptions } from '../../contracts/export.ts';
import { openRuns } from '../../client/run-reader.ts';
import type { CommandContext } from '../program.ts';
import { findRunAtEpoch } from '../run-reference.ts';

/** `toolsample export RUN[@EPOCH] DIR`: writes a policy of a run, whatever its state; the folder appears whole or not at all. */
export async function exportPolicy(
  { terminal, home, json }: CommandContext,
  reference: string,
  options: Omit<ExportOptions, 'epoch'>,
): Promise<void> {
  const reader = await openRuns({ home, log: (message) => terminal.note(message) });
  try {
    const { run, epoch } = findRunAtEpoch(reference, await reader.runIds());
    const exported = await reader.exportPolicy(run, { ...options, epoch });
    terminal.print(json ? JSON.stringify(exported, null, 2) : sentence(exported));
  } finally {
    await reader.close();
  }
}

function sentence(exported: ExportedPolicy): string {
  const { run, folder, format, dtype } = exported;
  const what = format === 'peft' ? 'the adapters' : 'the policy';
  return `wrote ${what} of ${run} ${when(exported)} to ${folder} (${dtype})`;
}

function when({ epoch, step, epochFinished }: ExportedPolicy): string {
  if (step === 0) {
    return epochFinished ? 'before the first step' : 'in the middle of the cold start';
  }
  return `after step ${step}, ${epochFinished ? 'the end' : 'in the middle'} of epoch ${epoch},`;
}
