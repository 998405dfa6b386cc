import { resolve } from 'node:path';
import type { ToolsampleClient } from '../../client.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { ExperimentAsked, ExperimentStatus } from '../../contracts/experiment.ts';
import { compareArms } from '../../experiments/compare-arms.ts';
import { comparisonSvg } from '../../experiments/comparison-svg.ts';
import {
  TABLE_NOTES,
  comparisonMarkdown,
  comparisonTable,
} from '../../experiments/comparison-table.ts';
import { spell } from '../../services/configuration/names.ts';
import { replaceFile } from '../../services/durable-file.ts';
import { planExperiment } from '../../services/experiments/plan.ts';
import type { ExitCode } from '../failure.ts';
import { experimentStatusIfAny, followExperiment } from '../follow-experiment.ts';
import { ownInvocation, suggestion } from '../invocation.ts';
import { checkOutputFile } from '../output-place.ts';
import type { CommandContext } from '../program.ts';
import { table } from '../render/text.ts';
import { readableConfig, settingsInput } from '../training-config.ts';
import { withClient } from '../with-client.ts';

/** Where results are written besides the terminal. */
export interface ComparisonFiles {
  readonly json?: string | undefined;
  readonly markdown?: string | undefined;
  readonly svg?: string | undefined;
}

export interface CompareOptions {
  readonly name: string | undefined;
  /** What was given of an {@link ExperimentAsked}, not checked yet. */
  readonly asked: { readonly [name: string]: unknown };
  /** Settings of all runs. */
  readonly settings: { readonly file: string | undefined; readonly flags: RunConfigInput };
  readonly files: ComparisonFiles;
}

/** `toolsample compare`: makes the runs of an experiment, or those that are left, and tells what they came to. */
export async function compareRuns(
  context: CommandContext,
  { name, asked, settings, files }: CompareOptions,
): Promise<ExitCode> {
  for (const file of Object.values(files))
    if (file !== undefined) await checkOutputFile(resolve(file));
  const config = await settingsInput(settings.file, settings.flags);
  const nothing = Object.keys(asked).length === 0 && Object.keys(config).length === 0;
  if (asked['tokens'] === undefined && !(nothing && name !== undefined)) {
    throw new ToolsampleError('config', 'how many tokens a run generates is missing', {
      at: { field: '--tokens' },
      hint: 'e.g. --tokens 120000; --name alone goes on with an experiment',
    });
  }
  await readableConfig(config);
  const wanted = nothing ? null : ({ ...asked, config } as Partial<ExperimentAsked>);
  // Told before anything is started.
  if (wanted !== null) planExperiment(name ?? 'unnamed', wanted, flagOf);
  return withClient(context, async (client) => {
    const { terminal, home } = context;
    const started = await client.startExperiment({ experiment: name, asked: wanted });
    const { experiment } = started;
    for (const note of started.notes) terminal.note(note);
    const goOn = suggestion(ownInvocation(), home, `compare --name ${experiment}`);
    const code = started.completed
      ? 0
      : await followExperiment({ context, client, experiment, goOn });
    const status = await experimentStatusIfAny(client, experiment);
    // Refused by the worker: it never came to be.
    if (status !== null) await tellResults(context, client, status, files);
    return code;
  });
}

/** Flags that say one of a list. */
const SINGULAR: { readonly [name: string]: string } = {
  samplers: 'sampler',
  curricula: 'curriculum',
};

/** What is asked for, as the command has it: `samplers` → `--sampler`. */
function flagOf([name]: readonly PropertyKey[]): string {
  const text = String(name);
  return `--${SINGULAR[text] ?? spell(text, 'kebab')}`;
}

async function tellResults(
  { terminal }: CommandContext,
  client: ToolsampleClient,
  status: ExperimentStatus,
  files: ComparisonFiles,
): Promise<void> {
  const { experiment, baseline } = status;
  // By now it may compare more than when it was taken up.
  const plan = planExperiment(experiment, status.asked);
  const arms = plan.arms.map(({ arm }) => arm);
  const results = await client.experimentResults(experiment);
  if (results.length === 0) {
    terminal.note('no run has completed yet: there is nothing to compare');
    return;
  }
  const compared = compareArms(arms, baseline, results);
  const shown = comparisonTable(compared);
  for (const line of table(shown.header, shown.rows, { paint: terminal.paint }))
    terminal.print(line);
  terminal.print('');
  for (const note of TABLE_NOTES) terminal.print(terminal.paint.dim(note));
  const write = (file: string | undefined, content: () => string): void => {
    if (file === undefined) return;
    replaceFile(resolve(file), content(), 0o644);
    terminal.note(`written: ${file}`);
  };
  write(
    files.json,
    () => `${JSON.stringify({ ...status, notes: plan.notes, arms: compared, results }, null, 2)}\n`,
  );
  write(files.markdown, () => comparisonMarkdown(shown, plan.notes));
  write(files.svg, () => comparisonSvg(experiment, arms, results));
}
