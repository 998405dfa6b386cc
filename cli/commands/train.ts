import { isDeepStrictEqual } from 'node:util';
import type { ToolsampleClient } from '../../client.ts';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import { RUN_STATES, type RunStatus } from '../../contracts/run-status.ts';
import { shellWord } from '../../contracts/shell-word.ts';
import type { ExitCode } from '../failure.ts';
import { ownInvocation, suggestion } from '../invocation.ts';
import { meantRun } from '../meant-run.ts';
import type { CommandContext } from '../program.ts';
import { trainingConfig } from '../training-config.ts';
import { serveRun } from '../serve-run.ts';
import { withClient } from '../with-client.ts';

export interface TrainOptions {
  readonly flags: RunConfigInput;
  /** Configuration file. */
  readonly file: string | undefined;
  /** Start a new run whatever there is. */
  readonly forceNew: boolean;
  /** Id of the new run. */
  readonly name: string | undefined;
}

/** `toolsample train`: goes on with the newest unfinished run of the same configuration, or starts a new one; follows it. */
export async function train(context: CommandContext, options: TrainOptions): Promise<ExitCode> {
  const config = await trainingConfig(options.file, options.flags);
  return withClient(context, async (client, serviceSeconds) => {
    const before =
      options.forceNew || options.name !== undefined ? null : await unfinishedRun(client, config);
    if (before !== null) {
      context.terminal.note('an unfinished run has this configuration; --new would start another');
      await client.resumeRun(before.run);
      return serveRun({ context, client, run: before.run, before, serviceSeconds });
    }
    const run = options.forceNew ? undefined : await waitingRun(client, config);
    const started = await client.startRun({ run: options.name ?? run, config: { ...config } });
    return serveRun({ context, client, run: started.run, before: null, serviceSeconds });
  });
}

/** `toolsample resume RUN`: goes on with a run after its last finished piece of work; follows it. */
export async function resume(context: CommandContext, reference: string): Promise<ExitCode> {
  return withClient(context, async (client, serviceSeconds) => {
    const { run, before } = await meantRun(client, reference);
    if ((await client.resumeRun(run)) === 'completed') {
      context.terminal.note(
        `run ${run} has completed; ${suggestion(ownInvocation(), context.home, `status ${shellWord(run)}`)} shows the result`,
      );
      return 0;
    }
    return serveRun({ context, client, run, before, serviceSeconds });
  });
}

const UNFINISHED = RUN_STATES.filter((state) => state !== 'completed');

/** The newest run that has not completed and has this very configuration; a fork has its parent's, and is none that was asked for. */
async function unfinishedRun(
  client: ToolsampleClient,
  config: RunConfig,
): Promise<RunStatus | null> {
  for (const run of await client.runIds(UNFINISHED)) {
    if (!isDeepStrictEqual(await client.config(run), config)) continue;
    const status = await client.status(run);
    if (status.state !== 'completed' && status.forkOf === null) return status;
  }
  return null;
}

/** A run of this configuration that was started and lost its machine before a worker took it up. */
async function waitingRun(
  client: ToolsampleClient,
  config: RunConfig,
): Promise<string | undefined> {
  const waiting = await client.unpreparedRuns();
  return waiting.find((each) => isDeepStrictEqual(each.config, config))?.run;
}
