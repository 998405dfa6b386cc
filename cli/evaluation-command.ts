import { Option, type Command } from 'commander';
import { DEVICES, type DeviceChoice } from '../contracts/config.ts';
import { VALUE_MATCHES, type ValueMatch } from '../contracts/reward.ts';
import { atLeastOne, wholeNumber, wordList } from './argument-values.ts';
import type { ExitCode } from './failure.ts';
import type { CommandContext, SharedOptions } from './program.ts';

/** Options of `eval`. */
export interface EvaluationFlags {
  readonly policy: string;
  readonly suite: string;
  readonly data?: string;
  readonly categories?: readonly string[];
  readonly limit?: number;
  readonly name?: string;
  readonly json?: string | true;
  readonly maxCompletionLength?: number;
  readonly valueMatch?: ValueMatch;
  readonly maxBadRows?: number;
  readonly shardSize?: number;
  readonly device?: DeviceChoice;
  readonly threads?: number;
}

/**
 * Declares `toolsample eval`.
 * @param command - Declares a command with the options that all share.
 */
export function defineEvaluationCommand(
  command: (usage: string, description: string) => Command,
  context: (options: SharedOptions) => Promise<CommandContext>,
  finish: (code: ExitCode) => void,
): void {
  command('eval', 'evaluate a policy on BFCL or on a file of samples (see docs/evaluate.md)')
    .requiredOption('--policy <policy>', 'a Hugging Face folder, RUN[@EPOCH] or `builtin`')
    .requiredOption('--suite <suite>', '`bfcl`, or a file of samples of any format')
    .option('--data <folder>', "the folder of BFCL's files, with possible_answer/")
    .option('--categories <list>', 'only these of BFCL, separated by commas', wordList)
    .option('--limit <n>', 'only the first questions of each category, or samples', atLeastOne)
    .option('--name <id>', 'id of the evaluation (default: made of what is asked)')
    .option('--json [file]', 'write the report as JSON to a file, or print it')
    .option('--max-completion-length <n>', 'tokens of an answer at most (default: 512)', atLeastOne)
    .addOption(
      new Option('--value-match <rules>', 'how the reward compares values').choices(VALUE_MATCHES),
    )
    .option('--max-bad-rows <n>', 'unusable rows of a file that are left out', wholeNumber)
    .option('--shard-size <n>', 'questions that a crash can lose (default: 16)', atLeastOne)
    .addOption(
      new Option('--device <device>', 'where tensors are computed (default: cpu)').choices(DEVICES),
    )
    .option('--threads <n>', 'threads of ONNX Runtime; 0: all cores', wholeNumber)
    .action(
      async ({ json, home, metrics, ...flags }: Omit<SharedOptions, 'json'> & EvaluationFlags) => {
        const { evaluate } = await import('./commands/eval.ts');
        finish(
          await evaluate(await context({ home, metrics, json: json === true }), {
            ...flags,
            ...(json === undefined ? {} : { json }),
          }),
        );
      },
    );
}
