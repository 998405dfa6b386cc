import { hashSeed } from '../../contracts/hash.ts';
import type { DemonstrationNoise } from '../../contracts/config.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { Sample } from '../../contracts/sample.ts';
import { callLine, completionText } from '../../contracts/tool-call-text.ts';
import { drawFor } from './draw.ts';
import type { Draw } from './draw.ts';
import { generateTask, THOUGHT } from './generator.ts';
import type { Argument, Level, Task, Tool } from './task.ts';

/** Demonstrations as they should be. */
export const NO_NOISE: DemonstrationNoise = {
  rawValue: 0,
  droppedCall: 0,
  missingParameter: 0,
  wrongTool: 0,
  brokenFormat: 0,
};

/** Careless demonstrations, as data scraped in real life: they show the skill, and bad habits. */
export const CARELESS: DemonstrationNoise = {
  rawValue: 0.7,
  droppedCall: 0.65,
  missingParameter: 0.3,
  wrongTool: 0.1,
  brokenFormat: 0.15,
};

export interface DemonstrationKey {
  readonly seed: number;
  /** 0-based, without end. */
  readonly index: number;
  /** Drawn evenly. */
  readonly levels: readonly number[];
  readonly noise: DemonstrationNoise;
}

/** A task of the `demonstration` split with the completion to imitate, which noise may have spoilt. */
export interface BuiltinDemonstration {
  readonly sample: Sample;
  readonly completion: string;
}

/** Ways in which a labeller breaks the form; each fails ToolRL's format rule or its JSON. */
const BREAKAGES: readonly ((text: string) => string)[] = [
  (text) => text.replace(/^<think>.*?<\/think>\n/, ''),
  (text) => text.replace('\n</tool_call>', ''),
  (text) => text.replace('<tool_call>\n', ''),
  (text) => text.replace('}\n</tool_call>', '\n</tool_call>'),
];

/** A value as the user wrote it: numbers become text. */
const rawValue = (argument: Argument): JsonValue => argument.raw;

function carelessLine(tool: Tool, task: Task, noise: DemonstrationNoise, draw: Draw): string {
  const missing = draw.chance(noise.missingParameter) ? draw.below(tool.args.length) : -1;
  const entries = tool.args.flatMap((argument, i): [string, JsonValue][] => {
    const value = draw.chance(noise.rawValue) ? rawValue(argument) : argument.value;
    return i === missing ? [] : [[argument.key, value]];
  });
  const wrong = draw.chance(noise.wrongTool);
  const distractors = task.tools.filter((other) => !task.called.includes(other));
  const name = wrong && distractors.length > 0 ? draw.pick(distractors).name : tool.name;
  return callLine({ name, parameters: Object.fromEntries(entries) });
}

/**
 * The warm start's endless stream: task `index` and its completion, spoilt independently per call and value as
 * {@link DemonstrationNoise} says. Pure and seeded. A tool can only be mistaken where the listing has a distractor.
 */
export function demonstration(key: DemonstrationKey): BuiltinDemonstration {
  const { seed, index, levels, noise } = key;
  const level = levels[hashSeed('demonstration level', seed, index) % levels.length] ?? 0;
  const { task, sample } = generateTask({
    seed,
    index,
    level: level as Level,
    split: 'demonstration',
  });
  const draw = drawFor('noise', seed, index);
  const lines = task.called
    .map((tool, i) => ({
      dropped: i > 0 && draw.chance(noise.droppedCall),
      line: carelessLine(tool, task, noise, draw),
    }))
    .filter(({ dropped }) => !dropped)
    .map(({ line }) => line);
  const text = completionText(THOUGHT, lines);
  const completion = draw.chance(noise.brokenFormat) ? draw.pick(BREAKAGES)(text) : text;
  return { sample, completion };
}
