import type { Command } from 'commander';
import { ToolsampleError } from '../contracts/errors.ts';
import { listenProblem } from '../services/ports.ts';
import { socketAddress } from './argument-values.ts';

/** Lets a command that has a worker serve that worker's metrics. */
export function withMetrics(command: Command): Command {
  return command.option(
    '--metrics <address>',
    'serve metrics for Prometheus there, e.g. 127.0.0.1:9464',
    socketAddress,
  );
}

/**
 * Tries an address before anything is started: the worker, which serves there, is there only once a run has been made.
 * @throws ToolsampleError `config`
 */
export async function requireFreeAddress(metrics: string): Promise<void> {
  const at = metrics.lastIndexOf(':');
  const host = metrics.slice(0, at).replaceAll(/[[\]]/g, '');
  const problem = await listenProblem(host, Number(metrics.slice(at + 1)));
  if (problem === null) return;
  throw new ToolsampleError('config', `cannot serve metrics on ${metrics}: ${problem.message}`, {
    at: { field: 'metrics' },
    hint: 'choose another port, or free this one',
    cause: problem,
  });
}
