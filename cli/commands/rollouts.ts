import { ToolsampleError } from '../../contracts/errors.ts';
import { UNIT_WEIGHTS } from '../../contracts/curriculum.ts';
import type { PerSubTask } from '../../contracts/reward.ts';
import { shellWord } from '../../contracts/shell-word.ts';
import { openRuns, type RunReader } from '../../client/run-reader.ts';
import type { CommandContext } from '../program.ts';
import { groupLines } from '../render/rollouts.ts';
import { findRunId } from '../run-reference.ts';

export interface RolloutsOptions {
  readonly step: number;
  /** Only this sample. */
  readonly sample?: string | undefined;
}

/** `toolsample rollouts RUN --step N`: a step's completions with their reward taken apart. */
export async function showRollouts(
  { terminal, home, json }: CommandContext,
  reference: string,
  { step, sample }: RolloutsOptions,
): Promise<void> {
  const reader = await openRuns({ home, log: (message) => terminal.note(message) });
  try {
    const run = findRunId(reference, await reader.runIds());
    const groups = await reader.rollouts(run, { step, sample });
    if (groups.length === 0) throw await nothingFound(reader, run, { step, sample });
    const weights = await weightsOf(reader, run, step);
    if (json) {
      terminal.print(JSON.stringify({ run, step, weights, groups }, null, 2));
      return;
    }
    const { valueMatch } = await reader.config(run);
    for (const [index, group] of groups.entries()) {
      if (index > 0) terminal.print('');
      for (const line of groupLines(group, { weights, valueMatch }, terminal.paint))
        terminal.print(line);
    }
  } finally {
    await reader.close();
  }
}

/** The weights that scored a step: those the step before it left. */
async function weightsOf(reader: RunReader, run: string, step: number): Promise<PerSubTask> {
  if (step === 1) return UNIT_WEIGHTS;
  const [before] = await reader.steps(run, step - 2);
  return before?.weights ?? UNIT_WEIGHTS;
}

async function nothingFound(
  reader: RunReader,
  run: string,
  { step, sample }: RolloutsOptions,
): Promise<ToolsampleError> {
  const last = (await reader.status(run)).step;
  if (sample !== undefined && step <= last) {
    return new ToolsampleError('not-found', `step ${step} did not draw sample "${sample}"`, {
      hint: `\`toolsample rollouts ${shellWord(run)} --step ${step}\` shows those it drew`,
    });
  }
  return new ToolsampleError('not-found', `run ${run} has no rollouts of step ${step}`, {
    hint: last === 0 ? 'it has finished no step yet' : `its steps so far are 1 to ${last}`,
  });
}
