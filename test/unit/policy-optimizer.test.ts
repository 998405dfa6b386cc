import { describe, expect, it } from 'vitest';
import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import { allocateFlat, fillFlat } from '../../policy/training/flat-tensors.ts';
import {
  forPartialBatch,
  linearDecay,
  runProgress,
  scheduled,
  warmedUp,
} from '../../policy/training/learning-rate.ts';
import { createOptimizer, globalNorm, updateParameters } from '../../policy/training/optimizer.ts';
import { onCpu } from '../../policy/graph/session.ts';

const SPECS = [
  { name: 'norm', dims: [700] },
  // More than one chunk of the update graph.
  { name: 'matrix', dims: [401, 1000] },
];
const OPTIONS = {
  learningRate: 3e-3,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradNorm: 1,
};

/** AdamW as in Loshchilov and Hutter, Algorithm 2, on one number, in double precision. */
function plainAdamW(start: number, gradients: readonly number[], decay: number): number {
  let [p, m, v] = [start, 0, 0];
  gradients.forEach((g, i) => {
    m = OPTIONS.beta1 * m + (1 - OPTIONS.beta1) * g;
    v = OPTIONS.beta2 * v + (1 - OPTIONS.beta2) * g * g;
    const mean = m / (1 - OPTIONS.beta1 ** (i + 1));
    const square = v / (1 - OPTIONS.beta2 ** (i + 1));
    p -= OPTIONS.learningRate * (mean / (Math.sqrt(square) + OPTIONS.epsilon) + decay * p);
  });
  return p;
}

describe('the norm of the gradients', () => {
  it('counts every element, whatever their number, and is not finite where one is not', () => {
    for (const size of [0, 1, 3, 4, 7]) {
      const data = Float32Array.from({ length: size }, (_, i) => i + 1);
      const squares = data.reduce((sum, x) => sum + x * x, 0);
      expect(globalNorm({ data })).toBe(Math.sqrt(squares));
      for (const wrong of [Number.NaN, Infinity]) {
        for (const i of data.keys())
          expect(globalNorm({ data: data.with(i, wrong) })).not.toSatisfy(Number.isFinite);
      }
    }
  });
});

describe('AdamW', () => {
  it('agrees with a plain reference: clipping, bias correction, weight decay on matrices only', async () => {
    const parameters = allocateFlat(SPECS);
    const gradients = allocateFlat(SPECS);
    const random = seededRandom(hashSeed('adamw'));
    parameters.data.forEach((_, i) => (parameters.data[i] = random() - 0.5));
    const start = parameters.data.slice();
    const optimizer = await createOptimizer(SPECS, onCpu(2));
    // Every 97th element, those of the norm weights and parts of all chunks among them.
    const watched = [...start.keys()].filter((i) => i % 97 === 0 || i > 401_000);
    const history: number[][] = [];
    for (let step = 0; step < 4; step++) {
      gradients.data.forEach(
        (_, i) => (gradients.data[i] = (random() - 0.5) * (step === 2 ? 1e-4 : 1)),
      );
      const norm = globalNorm(gradients);
      expect(norm).toBeCloseTo(Math.sqrt(gradients.data.reduce((sum, g) => sum + g * g, 0)), 6);
      const scale = norm > 1 ? 1 / norm : 1;
      history.push(watched.map((i) => scale * (gradients.data[i] ?? 0)));
      await updateParameters(optimizer, parameters, gradients, norm, OPTIONS);
    }
    let worst = 0;
    watched.forEach((element, i) => {
      const decay = element < 401_000 ? OPTIONS.weightDecay : 0;
      const own = history.map((gradient) => gradient[i] ?? 0);
      const expected = plainAdamW(start[element] ?? 0, own, decay);
      worst = Math.max(worst, Math.abs(expected - (parameters.data[element] ?? 0)));
    });
    expect(worst).toBeLessThan(2e-6);
    expect(parameters.views.get('matrix')?.data.byteOffset).toBe(0);
  });

  it('a norm with a NaN or an overflow is not finite', () => {
    const gradients = allocateFlat(SPECS);
    gradients.data[12] = Number.NaN;
    expect(globalNorm(gradients)).toBeNaN();
    gradients.data[12] = Number.POSITIVE_INFINITY;
    expect(globalNorm(gradients)).toBe(Number.POSITIVE_INFINITY);
  });

  it('refuses tensors that are missing or have another shape, by name', () => {
    const flat = allocateFlat(SPECS);
    const norm = { dims: [700], data: new Float32Array(700) };
    expect(() => fillFlat(flat, new Map([['norm', norm]]))).toThrow(
      'field "matrix": the tensor is missing',
    );
    const matrix = { dims: [1000, 401], data: new Float32Array(401_000) };
    expect(() =>
      fillFlat(
        flat,
        new Map([
          ['norm', norm],
          ['matrix', matrix],
        ]),
      ),
    ).toThrow('shape [1000, 401] instead of [401, 1000]');
  });
});

describe('learning rates', () => {
  it('warm up linearly, moving from the first step', () => {
    expect([0, 1, 2, 3, 9].map((step) => warmedUp(3, step, 3))).toEqual([1, 2, 3, 3, 3]);
    expect(warmedUp(3, 0, 0)).toBe(3);
  });

  it('are smaller in proportion where a batch could not be filled, and not larger where it has a surplus', () => {
    expect([1, 8, 16, 20].map((groups) => forPartialBatch(4, groups, 16))).toEqual([0.25, 2, 4, 4]);
  });

  it('fall linearly from the first to the last step', () => {
    expect([0, 1, 2, 4, 7].map((step) => linearDecay(8, 4, step, 5))).toEqual([8, 7, 6, 4, 4]);
    expect(linearDecay(8, 4, 0, 1)).toBe(8);
  });

  // torch.optim.lr_scheduler with transformers' get_linear_ and get_cosine_schedule_with_warmup, 2 of 10 steps of warm-up, peak 1.
  it.each([
    ['constant', [1, 1, 1, 1, 1]],
    ['linear', [1, 1, 0.875, 0.5, 0.125]],
    ['cosine', [1, 1, 0.9619397662556434, 0.5, 0.03806023374435663]],
  ] as const)("follow transformers' schedule: %s", (type, expected) => {
    const rates = [1, 2, 3, 6, 9].map((step) =>
      scheduled(
        type,
        runProgress({
          step,
          totalSteps: 10,
          warmupSteps: 2,
          generatedTokens: 0,
          tokenBudget: -1,
        }),
      ),
    );
    rates.forEach((rate, i) => expect(rate).toBeCloseTo(expected[i] ?? NaN, 12));
  });

  it('follow the tokens of a run that ends with them', () => {
    const run = { totalSteps: 1000, warmupSteps: 0, tokenBudget: 400 };
    const progress = (step: number, generatedTokens: number): number =>
      runProgress({ ...run, step, generatedTokens });
    expect([progress(0, 0), progress(1, 100), progress(900, 100), progress(7, 500)]).toEqual([
      0, 0.25, 0.9, 1,
    ]);
  });
});
