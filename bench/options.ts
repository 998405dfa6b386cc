import { parseArgs } from 'node:util';
import { ToolsampleError } from '../contracts/errors.ts';

export const SECTIONS = ['default', 'smollm2', 'orchestration'] as const;
/** `default`: the default policy's engine speed. `smollm2`: that of SmolLM2-135M's shape. `orchestration`: whole runs. */
export type Section = (typeof SECTIONS)[number];

export interface BenchOptions {
  readonly sections: ReadonlySet<Section>;
  /** Repetitions of each measurement, of which the median counts. */
  readonly repeats: number;
  /** Steps of the compared runs. */
  readonly steps: number;
  /** Where the rows are written as JSON. */
  readonly json: string | undefined;
}

const USAGE = `npm run bench -- [--json FILE] [--repeats N] [--steps N] [--only ${SECTIONS.join('|')}]…`;

/** @throws ToolsampleError `config` */
export function readOptions(args: string[]): BenchOptions {
  const { repeats, steps, json, only } = parse(args);
  return {
    sections: new Set(only === undefined ? SECTIONS : only.map(section)),
    repeats: atLeastOne('--repeats', repeats),
    steps: atLeastOne('--steps', steps),
    json,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        json: { type: 'string' },
        repeats: { type: 'string', default: '3' },
        steps: { type: 'string', default: '12' },
        only: { type: 'string', multiple: true },
      },
    }).values;
  } catch (cause) {
    throw wrong(cause instanceof Error ? cause.message : String(cause));
  }
}

function section(name: string): Section {
  const known = SECTIONS.find((each) => each === name);
  if (known === undefined) throw wrong(`--only does not know "${name}"`);
  return known;
}

function atLeastOne(flag: string, value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1) return number;
  throw wrong(`${flag} must be a whole number from 1, not "${value}"`);
}

function wrong(problem: string): ToolsampleError {
  return new ToolsampleError('config', problem, { hint: USAGE });
}
