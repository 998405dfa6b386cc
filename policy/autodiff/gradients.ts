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
  const sums = new Map<string, Tensor>(onto);
  const seed = reshape(scalar(graph, 1), [], []);
  backpropagate([...graph.operations], loss, seed, variables, (x, part) => {
    sums.set(x.name, accumulate(sums.get(x.name) ?? null, part));
  });
  return variables.map((x) => {
    const sum = sums.get(x.name);
    if (sum === undefined) throw new Error(`the loss does not depend on ${x.name}`);
    return sum;
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

/** Adds a part of a gradient to what is summed so far (null: nothing yet). */
export function accumulate(sum: Tensor | null, part: GradientPart): Tensor {
  if (typeof part === 'function') return part(sum);
  return sum === null ? part : add(sum, part);
}
