import { add, reshape } from '../graph/operations.ts';
import { scalar, type GradientPart, type Operation, type Tensor } from '../graph/graph.ts';
import { VJP_RULES } from './vjp-rules.ts';

/**
 * Reverse-mode differentiation: emits into the loss's graph what computes d loss / d x for each `x` of `variables`.
 *
 * @param loss shape [].
 * @param onto gradients to add to, by variable name (accumulation over micro-batches); a missing one starts at zero.
 * @returns one gradient per variable, in the variable's shape.
 */
export function gradients(
  loss: Tensor,
  variables: readonly Tensor[],
  onto: ReadonlyMap<string, Tensor> = new Map(),
): Tensor[] {
  const { graph } = loss;
  const parts = new Map<string, GradientPart[]>();
  const seed = reshape(scalar(graph, 1), [], []);
  backpropagate([...graph.operations], loss, seed, variables, (x, part) => {
    parts.set(x.name, [...(parts.get(x.name) ?? []), part]);
  });
  // Emitted last, and in this order: ONNX Runtime computes what was emitted last first, with all that it needs. So the gradients
  // of the last layer come first, and what only they need makes room for the layer before.
  return variables.map((x) => {
    const found = parts.get(x.name);
    if (found === undefined) throw new Error(`the loss does not depend on ${x.name}`);
    return sumOf(found, onto.get(x.name) ?? null);
  });
}

/**
 * One walk forward marks what depends on the variables, one walk backward hands each operation's output gradient to its rule.
 * @param operations what may lead from the variables to `result`, in the order of emission.
 * @param seed the gradient of `result`.
 * @param receive is given each part of a variable's gradient, as soon as it is known.
 */
export function backpropagate(
  operations: readonly Operation[],
  result: Tensor,
  seed: Tensor,
  variables: readonly Tensor[],
  receive: (variable: Tensor, part: GradientPart) => void,
): void {
  const produced = result.graph.producers;
  const wantedNames = new Set(variables.map((x) => x.name));
  const depends = new Set(wantedNames);
  for (const operation of operations) {
    if (!operation.inputs.some((x) => x !== null && depends.has(x.name))) continue;
    for (const out of operation.outputs) {
      if (produced.has(out.name)) depends.add(out.name);
    }
  }

  const sums = new Map([[result.name, seed]]);
  for (const operation of operations.toReversed()) {
    // Inner steps of an operation with a gradient of its own are passed over: the whole stands for them.
    const own = operation.outputs.some((out) => produced.get(out.name) === operation);
    const active = operation.outputs.some((out) => sums.has(out.name) && depends.has(out.name));
    if (!own || !active) continue;
    const rule = operation.vjp ?? VJP_RULES.get(operation.opType);
    if (rule === undefined) throw new Error(`no gradient is known for ${operation.opType}`);
    const wanted = operation.inputs.map((x) => x !== null && depends.has(x.name));
    const given = operation.outputs.map((out) => sums.get(out.name) ?? null);
    const parts = rule(operation, given, wanted);
    operation.inputs.forEach((x, i) => {
      const part = parts[i];
      if (x === null || part === null || part === undefined || wanted[i] !== true) return;
      if (wantedNames.has(x.name)) receive(x, part);
      else sums.set(x.name, accumulate(sums.get(x.name) ?? null, part));
    });
  }
}

/** The parts of a gradient added to what is summed so far (null: nothing yet), one after the other. */
export function sumOf(parts: readonly GradientPart[], start: Tensor | null): Tensor {
  const sum = parts.reduce<Tensor | null>(accumulate, start);
  if (sum === null) throw new Error('a gradient has at least one part');
  return sum;
}

function accumulate(sum: Tensor | null, part: GradientPart): Tensor {
  if (typeof part === 'function') return part(sum);
  return sum === null ? part : add(sum, part);
}
