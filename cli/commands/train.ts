import { isDeepStrictEqual } from 'node:util';
import { connectToolsample, type ToolsampleClient } from '../../client.ts';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import type { ExitCode } from '../failure.ts';
import { ownInvocation, suggestion } from '../invocation.ts';
import type { CommandContext } from '../program.ts';
import { findRunId } from '../run-reference.ts';
import { trainingConfig } from '../training-config.ts';
import { serviceLines } from './up.ts';
import { watchRun } from '../watch-run.ts';

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
    const { terminal } = context;
    const unfinished =
      options.forceNew || options.name !== undefined ? null : await unfinishedRun(client, config);
    if (unfinished !== null) {
      terminal.note(`going on with run ${unfinished} (--new starts another one)`);
      await client.resumeRun(unfinished);
      return watchRun({
        context,
        client,
        run: unfinished,
        epochs: config.numTrainEpochs,
        serviceSeconds,
      });
    }
    const { run } = await client.startRun({ run: options.name, config: { ...config } });
    return watchRun({ context, client, run, epochs: config.numTrainEpochs, serviceSeconds });
  });
}

/** `toolsample resume RUN`: goes on with a run after its last finished piece of work; follows it. */
export async function resume(context: CommandContext, reference: string): Promise<ExitCode> {
  return withClient(context, async (client, serviceSeconds) => {
    const run = findRunId(
      reference,
      (await client.runs()).map((each) => each.run),
    );
    const { numTrainEpochs } = await client.config(run);
    if ((await client.resumeRun(run)) === 'completed') {
      context.terminal.note(
        `run ${run} has completed; ${suggestion(ownInvocation(), context.home, `status ${run}`)} shows the result`,
      );
      return 0;
    }
    return watchRun({ context, client, run, epochs: numTrainEpochs, serviceSeconds });
  });
}

async function withClient(
  { terminal, home }: CommandContext,
  work: (client: ToolsampleClient, serviceSeconds: number) => Promise<ExitCode>,
): Promise<ExitCode> {
  const begin = Date.now();
  const client = await connectToolsample({ home, log: (message) => terminal.note(message) });
  try {
    for (const line of serviceLines(client.services, terminal)) terminal.note(line);
    return await work(client, (Date.now() - begin) / 1000);
  } finally {
    await client.close();
  }
}

/** The newest run that has not completed and has this very configuration. */
async function unfinishedRun(client: ToolsampleClient, config: RunConfig): Promise<string | null> {
  for (const { run, state } of await client.runs()) {
    if (state !== 'completed' && isDeepStrictEqual(await client.config(run), config)) return run;
  }
  return null;
}
