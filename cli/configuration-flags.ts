import { Option, type Command } from 'commander';
import type { RunConfigInput } from '../contracts/config.ts';
import { spell } from '../services/configuration/names.ts';
import {
  canonicalFlags,
  flagsFromSchema,
  type ConfigFlag,
} from '../services/configuration/flags.ts';

/**
 * Declares a flag for every key of the configuration, but for those that the command has for itself.
 * @param refused - Keys that the command does not take: its help is silent about them, their use is refused where settings are checked.
 * @returns the arguments with known flags in their canonical spelling.
 */
export function addConfigurationFlags(
  command: Command,
  argv: readonly string[],
  refused: readonly string[] = [],
): string[] {
  const reserved = new Set(command.options.map((option) => option.long?.slice(2) ?? ''));
  const hidden = new Set(refused.map((key) => spell(key, 'kebab')));
  for (const flag of flagsFromSchema()) {
    const name = flag.flag.slice(2);
    if (reserved.has(name)) continue;
    command.addOption(optionOf(flag).hideHelp(hidden.has(name)));
    if (flag.argument === null)
      command.addOption(
        new Option(flag.flag.replace('--', '--no-'), `not: ${flag.description}`).hideHelp(),
      );
  }
  return canonicalFlags(argv, reserved);
}

/**
 * The configuration that the flags of a parsed command line ask for, named like the flags.
 * @param own - Flags that the command has for itself, without dashes.
 */
export function flagInput(command: Command, own: readonly string[] = []): RunConfigInput {
  const input: { [path: string]: unknown } = {};
  for (const flag of flagsFromSchema()) {
    if (own.includes(flag.flag.slice(2))) continue;
    const name = optionOf(flag).attributeName();
    if (command.getOptionValueSource(name) !== 'cli') continue;
    const value: unknown = command.getOptionValue(name);
    input[flag.flag.slice(2)] = typeof value === 'string' ? flag.parse(value) : value;
  }
  return input;
}

function optionOf(flag: ConfigFlag): Option {
  const usage = flag.argument === null ? `${flag.flag} [bool]` : `${flag.flag} <${flag.argument}>`;
  const preset = flag.defaultText === '' ? '' : ` (default: ${flag.defaultText})`;
  return new Option(usage, `${flag.description}${preset}`).helpGroup(`${flag.group}:`);
}
