import type { Sample, ToolCall } from '../../contracts/sample.ts';
import { drawFor, type Draw } from './draw.ts';
import { groundTruthOf } from './generator.ts';
import { diversePool, ownsCombination } from './splits.ts';
import type { Task } from './task.ts';

/** How often the label names another tool of the listing, where there is one; else it has a value that nobody asked for. */
const WRONG_TOOL = 0.5;

/** Whether a sample of the corpus is among the share that is labelled wrong. A larger share holds the smaller one. */
export function isWrong(share: number, seed: number, index: number): boolean {
  return share > 0 && drawFor('wrong label', seed, index).chance(share);
}

/**
 * The sample with a ground truth that its prompt does not tell: a call of a tool that the request does not mean (labelled wrong),
 * or a value that it does not have (unsolvable). Pure and seeded.
 */
export function withWrongLabel(task: Task, sample: Sample, seed: number, index: number): Sample {
  for (let attempt = 0; ; attempt++) {
    const calls = spoilt(task, sample.calls, drawFor('label', seed, index, attempt));
    const groundTruth = groundTruthOf(calls);
    // The corpus keeps away from the ground truths that evaluation owns, wrong or right.
    if (!ownsCombination(groundTruth, 'train')) continue;
    const provenance = { ...sample.provenance, source: `${sample.provenance.source}/wrong` };
    return { ...sample, calls, groundTruth, provenance };
  }
}

function spoilt(task: Task, calls: readonly ToolCall[], draw: Draw): ToolCall[] {
  const which = draw.below(calls.length);
  const others = task.tools.filter((tool) => !task.called.includes(tool));
  const wrongTool = draw.chance(WRONG_TOOL) && others.length > 0;
  return calls.map((call, i) => {
    if (i !== which) return call;
    if (wrongTool) return { ...call, name: draw.pick(others).name };
    const key = draw.pick(Object.keys(call.parameters));
    return { ...call, parameters: { ...call.parameters, [key]: unaskedWord(task, draw) } };
  });
}

function unaskedWord({ request }: Task, draw: Draw): string {
  for (;;) {
    const word = draw.pick(diversePool());
    if (!request.includes(word)) return word;
  }
}
