import { type Command } from 'commander';
import { CORPUS_NAMES, DECIDED_SETTINGS, DSCL_PARTS, PROTOCOLS } from '../contracts/experiment.ts';
import { CURRICULA, SAMPLERS } from '../contracts/sampling.ts';
import { numberText, wordList } from './argument-values.ts';
import type { ComparisonFiles } from './commands/compare.ts';
import type { ExitCode } from './failure.ts';
import type { CommandContext, SharedOptions } from './program.ts';

/** What is compared, as commander hands it over. */
interface ComparedOptions {
  readonly sampler?: readonly string[];
  readonly curriculum?: readonly string[];
  readonly without?: readonly string[];
  readonly seeds?: number | string;
  readonly firstSeed?: number | string;
  readonly tokens?: number | string;
  readonly protocol?: string;
  readonly corpus?: string;
  readonly parallel?: number | string;
  readonly tuned?: readonly string[];
}

interface CompareOptions extends SharedOptions, ComparedOptions, Omit<ComparisonFiles, 'json'> {
  readonly name?: string;
  readonly config?: string;
}

/** Settings that are lists here. */
const OWN_FLAGS = ['sampler', 'curriculum'];

/**
 * Declares `compare`.
 * @param training - Declares a command of the group of those that train.
 * @returns the arguments to parse, its flags in their canonical spelling.
 */
export async function defineCompareCommand(
  training: (usage: string, description: string) => Command,
  context: (options: SharedOptions) => Promise<CommandContext>,
  argv: readonly string[],
  finish: (code: ExitCode) => void,
): Promise<readonly string[]> {
  const compare = training(
    'compare',
    'train every sampler with every curriculum over several seeds, and compare; goes on under the same name',
  )
    .option('--name <id>', 'name of the experiment; alone: go on with it, or show what it came to')
    .option('--tokens <n>', 'generated tokens with which each run ends', numberText)
    .option('--sampler <list>', `${SAMPLERS.join(', ')} (default: uniform,dscl)`, wordList)
    .option('--curriculum <list>', `${CURRICULA.join(', ')} (default: none,tdcl)`, wordList)
    .option(
      '--without <list>',
      `DSCL without a part, an arm each: ${DSCL_PARTS.join(', ')}`,
      wordList,
    )
    .option('--seeds <n>', 'seeds of each arm (default: 5)', numberText)
    .option('--first-seed <n>', 'the first of them (default: 1)', numberText)
    .option(
      '--protocol <name>',
      `what each step has alike: ${PROTOCOLS.join(', ')} (default: fixed-prompts)`,
    )
    .option('--corpus <name>', `a built-in corpus: ${CORPUS_NAMES.join(', ')}`)
    .option(
      '--tuned <sampler:key=value...>',
      "settings of one sampler's runs, e.g. uniform:learning_rate=1e-4",
    )
    .option('--parallel <n>', 'runs under way at a time (default: 1)', numberText)
    .option('--json <file>', 'write all numbers there (see docs/experiments.md)')
    .option('--markdown <file>', 'write the table there')
    .option('--svg <file>', 'write the picture there')
    .option('--config <file>', 'settings of all runs from a YAML or JSON file; flags win over it');
  let args = argv;
  if (argv[0] === 'compare') {
    const { addConfigurationFlags } = await import('./configuration-flags.ts');
    args = addConfigurationFlags(compare, argv, DECIDED_SETTINGS);
  }
  compare.action(async (options: CompareOptions & { json?: string }) => {
    const [{ compareRuns }, { flagInput }, { tunedFromText }] = await Promise.all([
      import('./commands/compare.ts'),
      import('./configuration-flags.ts'),
      import('./tuned-settings.ts'),
    ]);
    const { home, name, config: file, json, markdown, svg, metrics, tuned } = options;
    finish(
      await compareRuns(await context({ home, metrics }), {
        name,
        asked: askedOf(options, tuned && tunedFromText(tuned)),
        settings: { file, flags: flagInput(compare, OWN_FLAGS) },
        files: { json, markdown, svg },
      }),
    );
  });
  return args;
}

/** Under the names that an experiment has for them; those that were not given are left out. */
function askedOf(
  options: ComparedOptions,
  tuned: object | undefined,
): { readonly [name: string]: unknown } {
  const { sampler, curriculum, without, seeds, firstSeed, tokens, protocol, corpus, parallel } =
    options;
  const asked = {
    samplers: sampler,
    curricula: curriculum,
    without,
    seeds,
    firstSeed,
    tokens,
    protocol,
    corpus,
    parallel,
    tuned,
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}
