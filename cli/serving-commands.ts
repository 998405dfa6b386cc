import { InvalidArgumentError, Option, type Command } from 'commander';
import { DEVICES, PRECISIONS, type DeviceChoice, type Precision } from '../contracts/config.ts';
import { atLeastOne, portNumber, timerSeconds, wholeNumber } from './argument-values.ts';
import type { CommandContext, SharedOptions } from './program.ts';

/** Options of `serve`. */
export interface ServeFlags {
  readonly policy?: string;
  readonly host: string;
  readonly port?: number;
  readonly apiKeyFile?: string;
  readonly servedModelName?: string;
  readonly strictModel?: boolean;
  readonly maxBatchSize: number;
  readonly maxQueue: number;
  readonly maxCompletionLength: number;
  readonly requestTimeout: number;
  readonly threads: number;
  readonly device: DeviceChoice;
  readonly precision: Precision;
}

/** Options of `call`. */
export interface CallFlags {
  readonly policy?: string;
  readonly tools: string;
  readonly temperature: number;
  readonly seed: number;
  readonly maxCompletionLength: number;
}

const POLICY = [
  '--policy <policy>',
  'a Hugging Face folder, RUN[@EPOCH] or `builtin` (default: the newest completed run, else builtin)',
] as const;
const LENGTH = [
  '--max-completion-length <n>',
  'tokens of a completion at most',
  atLeastOne,
] as const;
const USUAL_LENGTH = 512;
const HOTTEST = 2;

/**
 * Declares what puts a policy to use.
 * @param command - Declares a command with the options that all share.
 */
export function defineServingCommands(
  command: (usage: string, description: string) => Command,
  context: (options: SharedOptions) => Promise<CommandContext>,
): void {
  command('serve', 'serve a policy over the interface of OpenAI until stopped (see docs/serve.md)')
    .option(...POLICY)
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port (default: 8000, or a free one where that is taken)', portNumber)
    .option(
      '--api-key-file <file>',
      'file with the key that requests have to bring (else TOOLSAMPLE_API_KEY, else none)',
    )
    .option(
      '--served-model-name <name>',
      "what the policy is called (default: the run's or folder's)",
    )
    .option('--strict-model', 'refuse requests for another model; else any name will do')
    .option('--max-batch-size <n>', 'completions under way at once', atLeastOne, 64)
    .option('--max-queue <n>', 'completions that may wait; more are refused', wholeNumber, 256)
    .option(...LENGTH, USUAL_LENGTH)
    .option('--request-timeout <seconds>', 'a request is given up after this', timerSeconds, 600)
    .option('--threads <n>', 'threads of ONNX Runtime; 0: all cores', wholeNumber, 0)
    .addOption(
      new Option('--device <device>', 'where tensors are computed').choices(DEVICES).default('cpu'),
    )
    .addOption(
      new Option('--precision <precision>', 'of its matrices; int8 is faster, and near the policy')
        .choices(PRECISIONS)
        .default('float32'),
    )
    .action(async (options: SharedOptions & ServeFlags) => {
      const { serve } = await import('./commands/serve.ts');
      await serve(await context(options), options);
    });
  command('call <question>', 'ask a policy once, with tools on offer')
    .option(...POLICY)
    .requiredOption('--tools <file>', 'JSON list of tools')
    .option('--temperature <number>', '0: the likeliest answer', temperature, 0)
    .option('--seed <n>', 'seed of the answer where the temperature is above 0', wholeNumber, 0)
    .option(...LENGTH, USUAL_LENGTH)
    .action(async (question: string, options: SharedOptions & CallFlags) => {
      const { call } = await import('./commands/call.ts');
      await call(await context(options), question, options);
    });
}

function temperature(text: string): number {
  if (!/^\d*\.?\d+$/.test(text) || Number(text) > HOTTEST)
    throw new InvalidArgumentError(`Temperatures are 0 to ${HOTTEST}.`);
  return Number(text);
}
