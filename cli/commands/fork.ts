import { ToolsampleError } from '../../contracts/errors.ts';
import { originText, type ForkPoint, type RunOrigin } from '../../contracts/fork.ts';
import type { RunStatus } from '../../contracts/run-status.ts';
import { settingsFromText } from '../../services/configuration/change.ts';
import { checkSettings } from '../../services/configuration/resolve.ts';
import { requireNewName } from '../../services/new-name.ts';
import type { ExitCode } from '../failure.ts';
import type { CommandContext } from '../program.ts';
import { findRunAtEpoch, type RunAtEpoch } from '../run-reference.ts';
import { serveRun } from '../serve-run.ts';
import { whoAsks } from '../who-asks.ts';
import { withClient } from '../with-client.ts';

export interface ForkFlags {
  /** After this step instead of at an epoch. */
  readonly step: number | undefined;
  /** `key=value`. */
  readonly set: readonly string[];
  /** Id of the new run. */
  readonly name: string | undefined;
}

/** `toolsample fork RUN[@EPOCH]`: starts a run that goes on from what another one had; follows it. */
export async function fork(
  context: CommandContext,
  reference: string,
  { step, set, name }: ForkFlags,
): Promise<ExitCode> {
  if (name !== undefined) requireNewName('run', name);
  const settings = settingsFromText(set);
  checkSettings(settings);
  return withClient(context, async (client, serviceSeconds) => {
    const named = findRunAtEpoch(reference, await client.runIds());
    const at = pointOf(named, step);
    const options = { of: named.run, at, run: name, settings, by: whoAsks() };
    const { run, forkOf } = await client.forkRun(options);
    context.terminal.note(`fork of ${originText(forkOf)}`);
    const before = asTakenOver(await client.status(named.run), run, forkOf);
    return serveRun({ context, client, run, before, serviceSeconds });
  });
}

function pointOf({ epoch }: RunAtEpoch, step: number | undefined): ForkPoint {
  if (step !== undefined && epoch !== undefined) {
    throw new ToolsampleError('config', 'an epoch and a step are given', {
      at: { field: '--step' },
      hint: 'write RUN@EPOCH, or RUN --step N',
    });
  }
  if (step !== undefined) return { step };
  if (epoch === undefined) return 'newest';
  return epoch === 'best' ? epoch : { epoch };
}

/** How far the fork is before it is prepared: what its parent did then is not told again. */
function asTakenOver(parent: RunStatus, run: string, forkOf: RunOrigin): RunStatus {
  return {
    ...parent,
    run,
    forkOf,
    state: 'running',
    withoutWorker: false,
    step: forkOf.step,
    lastStep: null,
    evaluations: parent.evaluations.filter((evaluation) => evaluation.step <= forkOf.step),
    policySha256: null,
    policyFolder: null,
    policyStep: null,
    finishedAt: null,
    reason: null,
    requested: null,
    requests: [],
    settings: [],
  };
}
