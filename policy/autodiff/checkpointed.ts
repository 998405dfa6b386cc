import { withGradient, type GradientPart, type Tensor } from '../graph/graph.ts';
import { after } from '../graph/ordering.ts';
import { backpropagate, sumOf } from './gradients.ts';

/**
 * `forward(x)`, of which only `x` is kept until its gradient is computed: that computes `forward` a second time (gradient
 * checkpointing, Chen et al., arXiv 1604.06174). Same values, same gradients to the bit; less memory for more time.
 *
 * The second pass starts from a copy of `x` that waits for the gradient of the result; else ONNX Runtime would merge it with the
 * first, or compute it as early.
 * @param forward emits the same operations each time; whatever else it looks at (weights, masks) is kept as it is.
 */
export function checkpointed(x: Tensor, forward: (x: Tensor) => Tensor): Tensor {
  const { graph } = x;
  const start = graph.operations.length;
  const result = forward(x);
  const captured = capturedInputs(graph.operations.slice(start), x);
  withGradient('checkpointed', [x, ...captured], [result], (_operation, [g], wanted) => {
    if (g === null || g === undefined) return wanted.map(() => null);
    const copy = after(x, [g]);
    const from = graph.operations.length;
    const again = forward(copy);
    const inputs = [copy, ...captured];
    const parts = new Map<string, GradientPart[]>();
    backpropagate(
      graph.operations.slice(from),
      again,
      g,
      inputs.filter((_, i) => wanted[i] === true),
      (variable, part) => {
        parts.set(variable.name, [...(parts.get(variable.name) ?? []), part]);
      },
    );
    return inputs.map(({ name }) => {
      const found = parts.get(name);
      return found === undefined ? null : (sum) => sumOf(found, sum);
    });
  });
  return result;
}

/** What the operations look at besides `x` and each other's results, constants aside. */
function capturedInputs(operations: Tensor['graph']['operations'], x: Tensor): Tensor[] {
  const constants = new Set(x.graph.initializers.map(({ name }) => name));
  const inner = new Set(operations.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
  const found = new Map<string, Tensor>();
  for (const { inputs } of operations) {
    for (const each of inputs) {
      if (each === null || each.name === x.name) continue;
      if (!inner.has(each.name) && !constants.has(each.name)) found.set(each.name, each);
    }
  }
  return [...found.values()];
}
