import type { JsonObject } from '../../contracts/json.ts';
import type { Sample, ToolCall } from '../../contracts/sample.ts';
import { callLine, completionText } from '../../contracts/tool-call-text.ts';
import { ownsCombination } from './splits.ts';
import type { BuiltinSplit } from './splits.ts';
import { drawTask } from './task.ts';
import type { Level, Task, Tool } from './task.ts';

/** The thought of every ground truth: the tasks need none, and short completions train fast. */
export const THOUGHT = 'ok';

/** Which sample: the same four give the same sample on every machine, whatever else is generated. */
export interface SampleKey {
  readonly seed: number;
  /** 0-based. */
  readonly index: number;
  readonly level: Level;
  readonly split: BuiltinSplit;
}

/** The call that a tool's arguments ask for. */
function callOf(tool: Tool): ToolCall {
  const parameters: JsonObject = Object.fromEntries(
    tool.args.map(({ key, value }) => [key, value]),
  );
  return { name: tool.name, parameters };
}

/** The completion that makes these calls. */
export function groundTruthOf(calls: readonly ToolCall[]): string {
  return completionText(THOUGHT, calls.map(callLine));
}

function listing(tools: readonly Tool[]): string {
  return tools
    .map(
      ({ name, args }) => `${name}(${args.map(({ key, type }) => `${key}: ${type}`).join(', ')})`,
    )
    .join('\n');
}

/** A task and its sample; {@link generateSample} without the details that only demonstrations need. */
export function generateTask(key: SampleKey): { readonly task: Task; readonly sample: Sample } {
  const { seed, index, level, split } = key;
  // A ground truth that another split owns is drawn again; the attempt is part of the seed, so no stream is kept.
  for (let attempt = 0; ; attempt++) {
    const task = drawTask(level, split, seed, index, attempt);
    const calls = task.called.map(callOf);
    const groundTruth = groundTruthOf(calls);
    if (!ownsCombination(groundTruth, split)) continue;
    const id = `${split === 'train' ? 'builtin' : split}-${String(index).padStart(6, '0')}`;
    const sample: Sample = {
      id,
      messages: [
        { role: 'system', content: listing(task.tools) },
        { role: 'user', content: task.request },
      ],
      groundTruth,
      shape: 'call',
      calls,
      level,
      provenance: { format: 'builtin', source: `builtin/${split}`, row: index + 1 },
    };
    return { task, sample };
  }
}

/** One sample of the built-in generator: pure, seeded, independent of all other samples. */
export function generateSample(key: SampleKey): Sample {
  return generateTask(key).sample;
}
