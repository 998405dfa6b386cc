import type { Command } from 'commander';
import { socketAddress } from './argument-values.ts';

/** Lets a command that has a worker serve that worker's metrics. */
export function withMetrics(command: Command): Command {
  return command.option(
    '--metrics <address>',
    'serve metrics for Prometheus there, e.g. 127.0.0.1:9464',
    socketAddress,
  );
}
