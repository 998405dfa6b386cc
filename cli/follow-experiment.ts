import type { ToolsampleClient } from '../client.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { ExperimentRunStatus, ExperimentStatus } from '../contracts/experiment.ts';
import type { ExitCode } from './failure.ts';
import { followWorkflow } from './follow-workflow.ts';
import type { CommandContext } from './program.ts';
import { count, percent, printable } from './render/text.ts';

export interface FollowExperimentOptions {
  readonly context: CommandContext;
  readonly client: ToolsampleClient;
  readonly experiment: string;
  /** The command that goes on. */
  readonly goOn: string;
}

/** Without news a line tells how far the runs under way are. */
const PATIENCE = 60_000;

/** Serves an experiment with a worker of our own; prints a line when a run begins and when it ends, until all end or the user stops. */
export async function followExperiment(options: FollowExperimentOptions): Promise<ExitCode> {
  const { context, client, experiment, goOn } = options;
  const { terminal } = context;
  terminal.note(`experiment ${experiment}`);
  const told = new Map<string, string>();
  let lastTold = Date.now();
  const tell = (line: string): void => {
    terminal.print(line);
    lastTold = Date.now();
  };
  const look = async (): Promise<void> => {
    const status = await experimentStatusIfAny(client, experiment);
    if (status === null) return;
    for (const [index, run] of status.runs.entries()) {
      if (run.state === null || told.get(run.run) === run.state) continue;
      told.set(run.run, run.state);
      const end = run.state === 'running' ? 'begins' : await endText(client, run);
      tell(`run ${index + 1} of ${status.runs.length}: ${run.arm}, seed ${run.seed}: ${end}`);
    }
    if (Date.now() - lastTold > PATIENCE) tell(progressText(status));
  };
  // What ended before is no news.
  for (const { run, state } of (await experimentStatusIfAny(client, experiment))?.runs ?? [])
    if (state !== null && state !== 'running') told.set(run, state);
  return followWorkflow({
    context,
    client,
    goOn: `go on with: ${goOn}`,
    stop: async () => client.stopExperiment(experiment),
    ended: async () => client.experimentEnded(experiment),
    look,
  });
}

/** Null before a worker has prepared the experiment. */
export async function experimentStatusIfAny(
  client: ToolsampleClient,
  experiment: string,
): Promise<ExperimentStatus | null> {
  try {
    return await client.experimentStatus(experiment);
  } catch (error) {
    if (error instanceof ToolsampleError && error.code === 'not-found') return null;
    throw error;
  }
}

async function endText(client: ToolsampleClient, run: ExperimentRunStatus): Promise<string> {
  const { evaluations, step, reason } = await client.status(run.run);
  const last = evaluations.findLast(({ split }) => split === evaluations[0]?.split);
  const why = reason === null ? '' : `, ${printable(reason)}`;
  const reached =
    last === undefined
      ? ''
      : `, reward ${last.reward.toFixed(3)}, exact match ${percent(last.exactMatch)}`;
  return `${run.state ?? ''} after step ${step}, ${count(run.generatedTokens)} tokens${reached}${why}`;
}

function progressText({ runs, asked }: ExperimentStatus): string {
  const completed = runs.filter(({ state }) => state === 'completed').length;
  const underWay = runs
    .filter(({ state }) => state === 'running')
    .map(({ arm, seed, generatedTokens }) => `${arm}, seed ${seed}: ${count(generatedTokens)}`);
  return `  ${completed} of ${runs.length} runs completed; under way, of ${count(asked.tokens)} tokens: ${underWay.join('; ')}`;
}
