import type { AdamWOptions } from '../../contracts/policy.ts';
import { floats, floatScalar, openSession, type Runtime, type Session } from '../graph/session.ts';
import type { Weights, WeightTensor } from '../models/initial-weights.ts';
import { ADAMW_NUMBERS, buildAdamWGraph, type AdamWNumbers } from './adamw.ts';
import { allocateFlat, fillFlat, type FlatSpec, type FlatTensors } from './flat-tensors.ts';

/** Elements of one run of the AdamW graph: small enough that its temporaries stay in the cache. */
const CHUNK = 1 << 17;

/** AdamW's moments beside the parameters, and the graph that updates all three in place. */
export interface Optimizer {
  readonly first: FlatTensors;
  readonly second: FlatTensors;
  /** Updates made so far. */
  step: number;
  readonly session: Session;
}

export async function createOptimizer(
  specs: readonly FlatSpec[],
  runtime: Runtime,
): Promise<Optimizer> {
  return {
    first: allocateFlat(specs),
    second: allocateFlat(specs),
    step: 0,
    session: await openSession(buildAdamWGraph(), runtime, { name: 'adamw' }),
  };
}

/** L2 norm of all gradients, summed in double precision in a fixed order. NaN or infinite if one element is. */
export function globalNorm({ data }: Pick<FlatTensors, 'data'>): number {
  // Four sums, which need not wait for each other: twice as fast.
  let [a, b, c, d] = [0, 0, 0, 0];
  const fours = data.length - (data.length % 4);
  for (let i = 0; i < fours; i += 4) {
    a += data[i]! ** 2;
    b += data[i + 1]! ** 2;
    c += data[i + 2]! ** 2;
    d += data[i + 3]! ** 2;
  }
  for (let i = fours; i < data.length; i++) a += data[i]! ** 2;
  return Math.sqrt(a + b + (c + d));
}

/**
 * One AdamW update in place: gradients scaled down to `maxGradNorm` (0: no limit), weight decay on matrices only.
 * @param norm {@link globalNorm} of the gradients.
 */
export async function updateParameters(
  optimizer: Optimizer,
  parameters: FlatTensors,
  gradients: FlatTensors,
  norm: number,
  options: AdamWOptions,
): Promise<void> {
  optimizer.step++;
  const { step } = optimizer;
  const { learningRate, beta1, beta2, epsilon, weightDecay, maxGradNorm } = options;
  const numbers: AdamWNumbers = {
    gradient_scale: maxGradNorm > 0 && norm > maxGradNorm ? maxGradNorm / norm : 1,
    beta1,
    one_minus_beta1: 1 - beta1,
    beta2,
    one_minus_beta2: 1 - beta2,
    inverse_sqrt_correction2: 1 / Math.sqrt(1 - beta2 ** step),
    epsilon,
    step_size: learningRate / (1 - beta1 ** step),
    keep: 1 - learningRate * weightDecay,
  };
  const { data, matrixElements } = parameters;
  await updateRange(optimizer, parameters, gradients, 0, matrixElements, numbers);
  await updateRange(optimizer, parameters, gradients, matrixElements, data.length, {
    ...numbers,
    keep: 1,
  });
}

async function updateRange(
  { first, second, session }: Optimizer,
  parameters: FlatTensors,
  gradients: FlatTensors,
  start: number,
  end: number,
  numbers: AdamWNumbers,
): Promise<void> {
  const scalars = Object.fromEntries(
    ADAMW_NUMBERS.map((name) => [name, floatScalar(numbers[name])]),
  );
  for (let from = start; from < end; from += CHUNK) {
    const to = Math.min(end, from + CHUNK);
    const piece = (flat: FlatTensors) => floats(flat.data.subarray(from, to), [to - from]);
    const p = piece(parameters);
    const m = piece(first);
    const v = piece(second);
    await session.run(
      { ...scalars, p, g: piece(gradients), m, v },
      { new_p: p, new_m: m, new_v: v },
    );
  }
}

/** The state as named tensors: `m.<tensor>`, `v.<tensor>` and `step` (one number). Views, not copies. */
export function optimizerState({ first, second, step }: Optimizer): Map<string, WeightTensor> {
  const state = new Map<string, WeightTensor>([
    ['step', { dims: [1], data: Float32Array.of(step) }],
  ]);
  for (const [name, view] of first.views) state.set(`m.${name}`, view);
  for (const [name, view] of second.views) state.set(`v.${name}`, view);
  return state;
}

/** @throws ToolsampleError `checkpoint` when a tensor is missing or has another shape. */
export function loadOptimizerState(optimizer: Optimizer, state: Weights): void {
  fillFlat(optimizer.first, state, 'm.');
  fillFlat(optimizer.second, state, 'v.');
  optimizer.step = state.get('step')?.data[0] ?? 0;
}
