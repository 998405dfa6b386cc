import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ToolsampleError } from '../contracts/errors.ts';

export const SECTIONS = [
  'default',
  'sampling',
  'training',
  'decode',
  'step',
  'orchestration',
  'serving',
] as const;
/**
 * `default`: the default policy. `sampling`, `training`, `decode`: parts of the engine on a policy of 135M parameters. `step`:
 * whole GRPO steps of it. `orchestration`: whole runs of the default policy. `serving`: requests to it over HTTP.
 */
export type Section = (typeof SECTIONS)[number];

export interface BenchOptions {
  readonly sections: ReadonlySet<Section>;
  /** Repetitions of each measurement, of which the median counts. */
  readonly repeats: number;
  /** Minutes after which no further repetition of a measurement is begun. */
  readonly minutes: number;
  /** Steps of the compared runs. */
  readonly steps: number;
  /** Whether peers take part where they are found. */
  readonly peers: boolean;
  /** HF folder of the larger policy instead of SmolLM2-135M's shape with random weights. */
  readonly model: string | undefined;
  /** Where the rows are written as JSON. */
  readonly json: string | undefined;
}

const USAGE = `npm run bench -- [--json FILE] [--repeats N] [--minutes N] [--steps N] [--no-peers] [--model DIR] [--only ${SECTIONS.join('|')}]…`;

/** @throws ToolsampleError `config` */
export function readOptions(args: string[]): BenchOptions {
  const { repeats, minutes, steps, json, model, only, ...rest } = parse(args);
  return {
    sections: new Set(only === undefined ? SECTIONS : only.map(section)),
    repeats: atLeastOne('--repeats', repeats),
    minutes: atLeastOne('--minutes', minutes),
    steps: atLeastOne('--steps', steps),
    peers: rest['no-peers'] !== true,
    model: model === undefined ? undefined : resolve(model),
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
        minutes: { type: 'string', default: '10' },
        steps: { type: 'string', default: '12' },
        model: { type: 'string' },
        'no-peers': { type: 'boolean' },
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
