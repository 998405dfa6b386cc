import { createGraph, input, output, type Graph } from '../graph/graph.ts';
import { add, div, mul, sqrt, sub } from '../graph/operations.ts';

/** Feeds of one number each; see {@link buildAdamWGraph}. */
export const ADAMW_NUMBERS = [
  'gradient_scale',
  'beta1',
  'one_minus_beta1',
  'beta2',
  'one_minus_beta2',
  'inverse_sqrt_correction2',
  'epsilon',
  'step_size',
  'keep',
] as const;
export type AdamWNumbers = { readonly [name in (typeof ADAMW_NUMBERS)[number]]: number };

/**
 * AdamW over a piece of the flat parameters (Loshchilov and Hutter): feeds `p`, `g`, `m`, `v` [n], fetches `new_p`, `new_m`, `new_v`.
 * m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², p ← keep·p − step_size·m / (√v·inverse_sqrt_correction2 + ε),
 * where g is scaled first (global-norm clipping), keep = 1 − lr·decay and step_size = lr / (1 − β₁ᵗ).
 * Elementwise, so each fetch may be the buffer of its feed.
 */
export function buildAdamWGraph(): Graph {
  const graph = createGraph();
  const [p, g, m, v] = (['p', 'g', 'm', 'v'] as const).map((name) =>
    input(graph, name, 'float32', ['n']),
  );
  const numbers = new Map(ADAMW_NUMBERS.map((name) => [name, input(graph, name, 'float32', [])]));
  const number = (name: (typeof ADAMW_NUMBERS)[number]) => {
    const found = numbers.get(name);
    if (found === undefined) throw new Error(`${name} is not declared`);
    return found;
  };
  if (!p || !g || !m || !v) throw new Error('four inputs are declared');
  const scaled = mul(g, number('gradient_scale'));
  const mean = add(mul(m, number('beta1')), mul(scaled, number('one_minus_beta1')));
  const square = add(mul(v, number('beta2')), mul(mul(scaled, scaled), number('one_minus_beta2')));
  const deviation = add(mul(sqrt(square), number('inverse_sqrt_correction2')), number('epsilon'));
  const change = mul(div(mean, deviation), number('step_size'));
  output(mean, 'new_m');
  output(square, 'new_v');
  output(sub(mul(p, number('keep')), change), 'new_p');
  return graph;
}
