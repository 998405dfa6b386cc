import { Option, type Command } from 'commander';
import {
  EXPORT_DTYPES,
  EXPORT_FORMATS,
  type ExportDtype,
  type ExportFormat,
} from '../contracts/export.ts';
import { ownVersion } from '../contracts/version.ts';
import type { WorkerQueue } from '../worker.ts';
import { hours, stepNumber } from './argument-values.ts';
import { defineCompareCommand } from './compare-command.ts';
import { defineDataCommands } from './data-commands.ts';
import { defineEvaluationCommand } from './evaluation-command.ts';
import { defineLookingCommands } from './looking-commands.ts';
import { withMetrics } from './metrics-option.ts';
import { defineServingCommands } from './serving-commands.ts';
import type { ExitCode } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** What every command gets. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** The data folder's absolute path. */
  readonly home: string;
  /** Print JSON instead of text. */
  readonly json: boolean;
  /** Where the command's worker serves metrics. */
  readonly metrics?: string | undefined;
}

/** Options that all commands share, as commander hands them over. */
export interface SharedOptions {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
  readonly metrics?: string | undefined;
}

/** Options of `export`. */
interface ExportFlags {
  readonly format: ExportFormat;
  readonly dtype: ExportDtype;
}

/** Options of `fork`. */
interface ForkOptions {
  readonly step?: number;
  readonly set?: readonly string[];
  readonly name?: string;
}

const READING_GROUP = 'Looking:';
const STEERING_GROUP = 'Steering a run under way:';
const RUNNING_GROUP = 'Training:';
const SERVING_GROUP = 'Using a policy:';
const DATA_GROUP = 'Data:';
const MACHINE_GROUP = 'Services:';

/**
 * Declares all commands. Only the command that runs is loaded, and the configuration's flags only for `train`: `--help`
 * must not wait for a tensor runtime.
 * @returns the arguments to parse, flags of `train` in their canonical spelling.
 */
export async function defineCommands(
  program: Command,
  argv: readonly string[],
  terminal: Terminal,
  finish: (code: ExitCode) => void,
): Promise<readonly string[]> {
  const context = async ({ home, json, metrics }: SharedOptions): Promise<CommandContext> => {
    const { homePath } = await import('../services/data-folder.ts');
    return { terminal, home: homePath({ home }), json: json ?? false, metrics };
  };
  program
    .description('Teaches language models to call tools, durably.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', '\nRUN is a run id, a prefix that only one run has, or `latest`.');

  const command = (group: string, usage: string, description: string): Command =>
    program
      .command(usage)
      .description(description)
      .helpGroup(group)
      .option('--home <folder>', 'data folder (else TOOLSAMPLE_HOME, else ./.toolsample)');
  const reading = (usage: string, description: string): Command =>
    command(READING_GROUP, usage, description).option('--json', 'print JSON (see docs/cli.md)');

  const training = (usage: string, description: string): Command =>
    withMetrics(command(RUNNING_GROUP, usage, description));

  const train = training(
    'train',
    'train a policy; goes on with the newest unfinished run of the same configuration',
  )
    .option('--config <file>', 'settings from a YAML or JSON file; flags win over it')
    .option('--new', 'start a new run even if an unfinished one has this configuration')
    .option('--name <id>', 'id of the new run (default: made from date and sampler)');
  let args = argv;
  if (argv[0] === 'train') {
    const { addConfigurationFlags } = await import('./configuration-flags.ts');
    args = addConfigurationFlags(train, argv);
  }
  train.action(
    async (options: SharedOptions & { config?: string; new?: boolean; name?: string }) => {
      const [{ train: run }, { flagInput }] = await Promise.all([
        import('./commands/train.ts'),
        import('./configuration-flags.ts'),
      ]);
      finish(
        await run(await context(options), {
          flags: flagInput(train),
          file: options.config,
          forceNew: options.new ?? false,
          name: options.name,
        }),
      );
    },
  );
  args = await defineCompareCommand(training, context, args, finish);
  training('resume <run>', 'go on with a run after its last finished piece of work').action(
    async (run: string, options: SharedOptions) => {
      const { resume } = await import('./commands/train.ts');
      finish(await resume(await context(options), run));
    },
  );
  training(
    'fork <run[@epoch]>',
    'start a run that goes on from what another one had at the end of an epoch',
  )
    .option('--step <n>', 'after this step instead', stepNumber)
    .option('--set <key=value...>', 'change settings from there on, e.g. learning_rate=1e-4')
    .option('--name <id>', 'id of the new run (default: fork- and the time)')
    .action(async (run: string, options: SharedOptions & ForkOptions) => {
      const { fork } = await import('./commands/fork.ts');
      const { step, set = [], name } = options;
      finish(await fork(await context(options), run, { step, set, name }));
    });
  command(
    RUNNING_GROUP,
    'export <run[@epoch]> <folder>',
    'write a policy of a run, in any state, as a Hugging Face folder or a PEFT adapter',
  )
    .addOption(
      new Option(
        '--format <format>',
        'hf: whole weights, adapters merged; peft: LoRA adapters alone',
      )
        .choices(EXPORT_FORMATS)
        .default('hf'),
    )
    .addOption(
      new Option('--dtype <type>', 'type of the numbers').choices(EXPORT_DTYPES).default('float32'),
    )
    .option('--json', 'print JSON (see docs/cli.md)')
    .action(async (run: string, folder: string, options: SharedOptions & ExportFlags) => {
      const { exportPolicy } = await import('./commands/export.ts');
      const { format, dtype } = options;
      await exportPolicy(await context(options), run, { folder, format, dtype });
    });

  for (const [request, description] of REQUESTS) {
    command(STEERING_GROUP, `${request} <run>`, description)
      .option('--json', 'print JSON (see docs/cli.md)')
      .action(async (run: string, options: SharedOptions) => {
        const { steer } = await import('./commands/steer.ts');
        await steer(await context(options), request, run);
      });
  }
  command(
    STEERING_GROUP,
    'set <run> <key=value...>',
    'change settings from the next step on, e.g. learning_rate=1e-4',
  )
    .option('--json', 'print JSON (see docs/cli.md)')
    .action(async (run: string, assignments: string[], options: SharedOptions) => {
      const { set } = await import('./commands/steer.ts');
      await set(await context(options), run, assignments);
    });

  defineLookingCommands(reading, context, finish);

  defineServingCommands(
    (usage, description) =>
      command(SERVING_GROUP, usage, description).option('--json', 'print JSON (see docs/serve.md)'),
    context,
  );

  defineEvaluationCommand(
    (usage, description) => withMetrics(command(SERVING_GROUP, usage, description)),
    context,
    finish,
  );

  defineDataCommands(program, DATA_GROUP, terminal);

  command(MACHINE_GROUP, 'up', 'start Postgres and Temporal')
    .option('--json', 'print JSON (see docs/cli.md)')
    .action(async (options: SharedOptions) => {
      const { up } = await import('./commands/up.ts');
      await up(await context(options));
    });
  command(MACHINE_GROUP, 'down', 'stop what this data folder started')
    .option('--force', 'also while something is under way')
    .option('--json', 'print JSON (see docs/cli.md)')
    .action(async (options: SharedOptions & { force?: boolean }) => {
      const { down } = await import('./commands/down.ts');
      await down(await context(options), { force: options.force ?? false });
    });
  command(MACHINE_GROUP, 'gc', 'remove artifacts to which no run refers: left over from crashes')
    .option('--dry-run', 'only say what would be removed')
    .option('--older-than <hours>', 'keep what is younger', hours, 24)
    .option('--json', 'print JSON (see docs/cli.md)')
    .action(async (options: SharedOptions & { dryRun?: boolean; olderThan: number }) => {
      const { collectGarbage } = await import('./commands/gc.ts');
      const { dryRun, olderThan: olderThanHours } = options;
      await collectGarbage(await context(options), { dryRun, olderThanHours });
    });
  command(MACHINE_GROUP, 'doctor', 'check this machine and say what to do')
    .option('--json', 'print JSON (see docs/cli.md)')
    .action(async (options: SharedOptions) => {
      const { doctor } = await import('./commands/doctor.ts');
      finish(await doctor(await context(options)));
    });
  withMetrics(
    command(MACHINE_GROUP, 'worker', 'serve task queues until stopped; `train` runs one by itself'),
  )
    .addOption(
      new Option('--task-queue <queue>', 'light: workflows, rows; gpu: the policy engine')
        .choices(TASK_QUEUES)
        .default('all'),
    )
    .action(async (options: SharedOptions & { taskQueue: WorkerQueue | 'all' }) => {
      const { serve } = await import('./commands/worker.ts');
      await serve(await context(options), options.taskQueue);
    });
  return args;
}

/** Written out: importing the worker's own list would load a tensor runtime. */
const TASK_QUEUES: readonly (WorkerQueue | 'all')[] = ['light', 'gpu', 'all'];

const REQUESTS = [
  ['pause', 'wait before the next step'],
  ['continue', 'end a pause, or take back a stop that has not happened yet'],
  ['stop', 'end after the step under way, and export the policy; resume goes on'],
  ['cancel', 'end now; resume goes on after the last finished piece of work'],
  ['evaluate', 'evaluate the policy on the held-out samples before the next step'],
] as const;
