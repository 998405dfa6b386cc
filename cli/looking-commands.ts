import { Option, type Command } from 'commander';
import { METRICS_FORMATS, type MetricsFormat } from '../contracts/metrics.ts';
import { portNumber, stepNumber } from './argument-values.ts';
import type { ExitCode } from './failure.ts';
import type { CommandContext, SharedOptions } from './program.ts';

/** Options of `metrics`. */
interface MetricsFlags {
  readonly format: MetricsFormat;
  readonly output?: string;
}

/**
 * Declares what only looks at runs.
 * @param reading - Declares a command with the options that all of them share.
 */
export function defineLookingCommands(
  reading: (usage: string, description: string) => Command,
  context: (options: SharedOptions) => Promise<CommandContext>,
  finish: (code: ExitCode) => void,
): void {
  reading('runs', 'list runs, newest first').action(async (options: SharedOptions) => {
    const { listRuns } = await import('./commands/runs.ts');
    await listRuns(await context(options));
  });
  reading('status <run>', 'show how far a run is and what it has reached').action(
    async (run: string, options: SharedOptions) => {
      const { showStatus } = await import('./commands/status.ts');
      await showStatus(await context(options), run);
    },
  );
  reading('watch <run>', 'follow a run that another process trains, until it ends').action(
    async (run: string, options: SharedOptions) => {
      const { watch } = await import('./commands/watch.ts');
      finish(await watch(await context(options), run));
    },
  );
  reading('rollouts <run>', 'show completions of a step, their reward taken apart')
    .requiredOption('--step <n>', 'the step', stepNumber)
    .option('--sample <id>', 'only this sample')
    .action(async (run: string, options: SharedOptions & { step: number; sample?: string }) => {
      const { showRollouts } = await import('./commands/rollouts.ts');
      await showRollouts(await context(options), run, options);
    });
  reading('ui', 'show runs in the browser, live, until Ctrl-C')
    .option('--port <n>', 'port on 127.0.0.1 (default: a free one)', portNumber)
    .action(async (options: SharedOptions & { port?: number }) => {
      const { ui } = await import('./commands/ui.ts');
      await ui(await context(options), { port: options.port });
    });
  reading('report <run...>', 'write the same pages of some runs as one HTML file')
    .requiredOption('-o, --output <file>', 'the file; what is there is replaced')
    .action(async (runs: string[], options: SharedOptions & { output: string }) => {
      const { report } = await import('./commands/report.ts');
      await report(await context(options), runs, options);
    });
  reading('metrics <run>', 'the numbers of steps and evaluations, for other programs')
    .addOption(
      new Option('--format <format>', 'tensorboard: an event file')
        .choices(METRICS_FORMATS)
        .default('jsonl'),
    )
    .option(
      '-o, --output <place>',
      'the file (replaced), or the folder of the run for tensorboard; default: standard output',
    )
    .action(async (run: string, options: SharedOptions & MetricsFlags) => {
      const { exportMetrics } = await import('./commands/metrics.ts');
      const { format, output } = options;
      await exportMetrics(await context(options), run, { format, output });
    });
  reading('sql [query]', 'print the connection string, or run a read-only query').action(
    async (query: string | undefined, options: SharedOptions) => {
      const { sql } = await import('./commands/sql.ts');
      await sql(await context(options), query);
    },
  );
}
