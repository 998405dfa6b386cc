import { describe, expect, it } from 'vitest';
import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import type {
  ObjectiveOptions,
  TrainableOptions,
  TrainingSequence,
} from '../../contracts/policy.ts';
import { initialAdapters } from '../../policy/models/lora.ts';
import { initialWeights, type Weights } from '../../policy/models/initial-weights.ts';
import type { ModelTraits } from '../../policy/models/model-traits.ts';
import type { GradientOutcome } from '../../policy/training/grpo-step.ts';
import { UNLIMITED } from '../../policy/training/step-plan.ts';
import { createTrainer, type Trainer } from '../../policy/training/trainer.ts';
import { onCpu } from '../../policy/graph/session.ts';
import { FULL, LORA, OBJECTIVE, OPTIMIZER } from './support/training-options.ts';

const TRAITS: ModelTraits = {
  hidden: 32,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  ffn: 48,
  vocab: 40,
  ropeTheta: 1e4,
  rmsEps: 1e-5,
  tied: true,
};
const UNCAPPED = { ...OBJECTIVE, importanceSamplingCap: 0, maxCompletionLength: 10 };

function someIds(seed: number, length: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length }, () => Math.floor(random() * TRAITS.vocab));
}

const demonstrations = Array.from({ length: 9 }, (_, i) => ({
  promptIds: someIds(hashSeed('p', i), 3 + (i % 4)),
  completionIds: someIds(hashSeed('c', i), 2 + (i % 5)),
}));

function sequences(
  logprob: number,
  masked: (index: number) => boolean = () => false,
): TrainingSequence[] {
  return demonstrations.map((demonstration, i) => ({
    ...demonstration,
    rolloutLogprobs: demonstration.completionIds.map(() => logprob),
    advantage: (i % 3) - 1.25,
    masked: masked(i),
  }));
}

const UNIFORM = -Math.log(TRAITS.vocab);

async function withTrainer<T>(
  run: (trainer: Trainer) => Promise<T>,
  options: { trainable?: TrainableOptions; threads?: number; weights?: Weights } = {},
): Promise<T> {
  const trainer = await createTrainer({
    traits: TRAITS,
    weights: options.weights ?? initialWeights(TRAITS, 1),
    trainable: options.trainable ?? FULL,
    runtime: onCpu(options.threads ?? 1),
  });
  try {
    return await run(trainer);
  } finally {
    await trainer.close();
  }
}

function copyOf(weights: Weights): Map<string, number[]> {
  return new Map([...weights].map(([name, { data }]) => [name, [...data]]));
}

function detached(weights: Weights): Weights {
  return new Map(
    [...weights].map(([name, { dims, data }]) => [name, { dims, data: data.slice() }]),
  );
}

/** The largest difference between two sets of tensors. */
function distance(a: Map<string, number[]>, b: Map<string, number[]>): number {
  return Math.max(
    ...[...a].flatMap(([name, values]) =>
      values.map((x, i) => Math.abs(x - (b.get(name)?.[i] ?? Number.NaN))),
    ),
  );
}

const supervised = (microBatchTokens = 1000, optimizer = OPTIMIZER) => ({
  demonstrations,
  optimizer,
  microBatchTokens,
});
const grpo = (changes: Partial<ObjectiveOptions> = {}, microBatchTokens = 1000) => ({
  sequences: sequences(UNIFORM),
  objective: { ...UNCAPPED, ...changes },
  optimizer: OPTIMIZER,
  microBatchTokens,
});

/** A base whose output layer can express certainty: frozen, the small initial embeddings cannot. */
function decidedBase(): Weights {
  const weights = initialWeights(TRAITS, 1);
  const embedding = weights.get('model.embed_tokens.weight')?.data;
  embedding?.forEach((x, i) => (embedding[i] = 30 * x));
  return weights;
}

const trainOn = (threads: number) =>
  withTrainer(
    async (trainer) => {
      for (let step = 0; step < 5; step++) await trainer.supervise(supervised(24));
      return {
        weights: copyOf(trainer.trainedTensors()),
        moments: copyOf(trainer.optimizerState()),
      };
    },
    { threads },
  );

const trainInParts = (microBatchTokens: number) =>
  withTrainer(async (trainer) => {
    const tokens: number[] = [];
    const { loss, gradNorm } = await trainer.supervise(supervised(microBatchTokens), {
      onTokens: (done) => tokens.push(done),
    });
    // AdamW's first moment after one step is a tenth of the gradient.
    return { loss, gradNorm, runs: tokens.length, moments: copyOf(trainer.optimizerState()) };
  });

describe('supervised training', () => {
  it.each([FULL, LORA])('learns a batch by heart: $mode', async (trainable) => {
    const weights = trainable.mode === 'full' ? initialWeights(TRAITS, 1) : decidedBase();
    await withTrainer(
      async (trainer) => {
        const first = await trainer.supervise(supervised());
        expect(first.loss).toBeGreaterThan(3);
        let last = first;
        for (let step = 0; step < 60; step++) last = await trainer.supervise(supervised());
        expect(last.loss).toBeLessThan(0.02);
      },
      { trainable, weights },
    );
  });

  it('gives the same bytes on every run, and with one thread or two', async () => {
    const once = await trainOn(1);
    expect(await trainOn(1)).toEqual(once);
    expect(await trainOn(2)).toEqual(once);
  });

  it('does not depend on the division into micro-batches', async () => {
    const whole = await trainInParts(1000);
    const parts = await trainInParts(20);
    expect(whole.runs).toBe(1);
    expect(parts.runs).toBeGreaterThan(3);
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    expect(parts.gradNorm).toBeCloseTo(whole.gradNorm, 5);
    expect(distance(parts.moments, whole.moments)).toBeLessThan(1e-6);
  });

  it('continues from saved tensors and optimiser state as if it had not stopped', async () => {
    const straight = await withTrainer(async (trainer) => {
      for (let step = 0; step < 4; step++) await trainer.supervise(supervised());
      return copyOf(trainer.trainedTensors());
    });
    const half = await withTrainer(async (trainer) => {
      for (let step = 0; step < 2; step++) await trainer.supervise(supervised());
      return structuredClone({
        weights: trainer.trainedTensors(),
        state: trainer.optimizerState(),
      });
    });
    const trainer = await createTrainer({
      traits: TRAITS,
      weights: initialWeights(TRAITS, 99),
      trained: half.weights,
      trainable: FULL,
      runtime: onCpu(1),
    });
    trainer.loadOptimizerState(half.state);
    for (let step = 0; step < 2; step++) await trainer.supervise(supervised());
    expect(copyOf(trainer.trainedTensors())).toEqual(straight);
    await trainer.close();
  });

  it('stops on a loss that is not finite, with the parameters as they were', async () => {
    const weights = initialWeights(TRAITS, 1);
    weights.get('model.layers.0.mlp.up_proj.weight')?.data.fill(Number.NaN, 0, 1);
    await withTrainer(
      async (trainer) => {
        const before = copyOf(trainer.trainedTensors());
        await expect(trainer.supervise(supervised())).rejects.toMatchObject({ code: 'non-finite' });
        await expect(trainer.gradientStep(grpo())).rejects.toMatchObject({ code: 'non-finite' });
        expect(copyOf(trainer.trainedTensors())).toEqual(before);
        expect(trainer.optimizerState().get('step')?.data[0]).toBe(0);
      },
      { weights },
    );
  });

  it('can be stopped between micro-batches, with the parameters as they were', async () => {
    await withTrainer(async (trainer) => {
      const before = copyOf(trainer.trainedTensors());
      let calls = 0;
      const checkAbort = (): void => {
        if (++calls === 3) throw new Error('enough');
      };
      await expect(trainer.supervise(supervised(20), { checkAbort })).rejects.toThrow('enough');
      expect(copyOf(trainer.trainedTensors())).toEqual(before);
    });
  });
});

const sampledAt = (logprob: number, cap = 2) =>
  withTrainer(async (trainer) =>
    trainer.gradientStep({
      ...grpo({ importanceSamplingCap: cap }),
      sequences: sequences(logprob),
    }),
  );
const normWithCap = async (logprob: number, cap: number) =>
  (await sampledAt(logprob, cap)).gradNorm;

describe('GRPO', () => {
  it('on its own samples has ratio 1: the loss is the mean advantage, nothing is clipped', async () => {
    const outcome = await withTrainer((trainer) => trainer.gradientStep(grpo()));
    const tokens = sequences(0).flatMap(({ completionIds, advantage }) =>
      completionIds.map(() => advantage),
    );
    const mean = tokens.reduce((a, b) => a + b, 0) / tokens.length;
    expect(outcome.loss).toBeCloseTo(-mean, 5);
    expect(outcome).toMatchObject({ clipRatioLow: 0, clipRatioHigh: 0, kl: null });
    expect(outcome.entropy).toBeCloseTo(-UNIFORM, 0);
    expect(outcome.tokens).toBe(
      demonstrations.reduce((sum, d) => sum + d.promptIds.length + d.completionIds.length, 0),
    );
  });

  it.each(['dapo', 'grpo', 'dr_grpo', 'bnpo'] as const)(
    '%s does not depend on the division into micro-batches',
    async (lossType) => {
      const step = (microBatchTokens: number) =>
        withTrainer(async (trainer) => {
          const changes = { lossType, beta: 0.1, importanceSamplingCap: 2 };
          const batch = {
            ...grpo(changes, microBatchTokens),
            reference: initialWeights(TRAITS, 2),
          };
          const outcome = await trainer.gradientStep({
            ...batch,
            sequences: sequences(UNIFORM, (i) => i === 4),
          });
          return { outcome, moments: copyOf(trainer.optimizerState()) };
        });
      const whole = await step(1000);
      const parts = await step(20);
      for (const key of Object.keys(whole.outcome) as (keyof GradientOutcome)[]) {
        expect(parts.outcome[key], key).toBeCloseTo(whole.outcome[key] ?? Number.NaN, 4);
      }
      expect(whole.outcome.kl).toBeGreaterThan(0);
      expect(distance(parts.moments, whole.moments)).toBeLessThan(1e-6);
    },
  );

  it('computes a prompt once for its completions, with the same result', async () => {
    const group = sequences(UNIFORM).map((sequence, i) => ({
      ...sequence,
      promptIds: someIds(hashSeed('prompt', i % 2), 30),
    }));
    const step = (microBatchTokens: number) =>
      withTrainer(async (trainer) => {
        const batch = { ...grpo({ beta: 0.1 }, microBatchTokens), sequences: group };
        const reference = initialWeights(TRAITS, 2);
        const outcome = await trainer.gradientStep({ ...batch, reference });
        return { outcome, moments: copyOf(trainer.optimizerState()) };
      });
    const shared = await step(1000);
    // Nothing fits in so few tokens, so each sequence is computed by itself.
    const separate = await step(1);
    for (const key of Object.keys(shared.outcome) as (keyof GradientOutcome)[]) {
      expect(shared.outcome[key], key).toBeCloseTo(separate.outcome[key] ?? Number.NaN, 5);
    }
    expect(distance(shared.moments, separate.moments)).toBeLessThan(1e-6);
  });

  it.each([FULL, LORA])('recomputes layers without changing a bit: $mode', async (trainable) => {
    const train = (recompute: boolean) =>
      withTrainer(
        async (trainer) => {
          const memory = { ...UNLIMITED, recompute };
          const reference =
            trainable === FULL
              ? initialWeights(TRAITS, 2)
              : initialAdapters(TRAITS, { rank: 4, alpha: 8, seed: 2 });
          const losses = [
            (await trainer.supervise({ ...supervised(), memory })).loss,
            (await trainer.gradientStep({ ...grpo({ beta: 0.1 }), reference, memory })).loss,
          ];
          return { losses, trained: copyOf(trainer.trainedTensors()) };
        },
        { trainable },
      );
    expect(await train(true)).toEqual(await train(false));
  });

  it('raises the probability of what was good and lowers the rest', async () => {
    await withTrainer(async (trainer) => {
      const good = sequences(UNIFORM).slice(0, 1);
      const [sequence] = good;
      if (sequence === undefined) throw new Error('one sequence');
      const lossOf = async (): Promise<number> => {
        const probe = {
          demonstrations: good,
          optimizer: { ...OPTIMIZER, learningRate: 0 },
          microBatchTokens: 100,
        };
        return (await trainer.supervise(probe)).loss;
      };
      const before = await lossOf();
      await trainer.gradientStep({ ...grpo(), sequences: [{ ...sequence, advantage: 1 }] });
      const raised = await lossOf();
      expect(raised).toBeLessThan(before);
      for (let i = 0; i < 3; i++) {
        await trainer.gradientStep({ ...grpo(), sequences: [{ ...sequence, advantage: -1 }] });
      }
      expect(await lossOf()).toBeGreaterThan(raised);
    });
  });

  it('leaves masked sequences out, and changes nothing when all are', async () => {
    const step = (batch: readonly TrainingSequence[]) =>
      withTrainer(async (trainer) => {
        await trainer.gradientStep({ ...grpo(), sequences: batch });
        return copyOf(trainer.trainedTensors());
      });
    const all = sequences(UNIFORM, (i) => i > 4);
    expect(await step(all)).toEqual(await step(all.slice(0, 5)));
    const untouched = await step(sequences(UNIFORM, () => true));
    expect(untouched).toEqual(copyOf(initialWeights(TRAITS, 1)));
  });

  it('takes several steps on a batch, clipped to where it began', async () => {
    await withTrainer(async (trainer) => {
      const outcome = await trainer.gradientStep(grpo({ numIterations: 6 }));
      expect(trainer.optimizerState().get('step')?.data[0]).toBe(6);
      expect(outcome.clipRatioLow + outcome.clipRatioHigh).toBeGreaterThan(0.05);
    });
  });

  it('weighs down tokens that the rollout made less likely than the trainer does, up to the cap', async () => {
    const plain = await normWithCap(-20, 0);
    // Far more likely now than at sampling: every weight is at the cap.
    expect((await normWithCap(-20, 2)) / plain).toBeCloseTo(2, 4);
    expect((await normWithCap(0, 2)) / plain).toBeLessThan(0.1);
  });

  it('tells how far the log-probabilities that were sampled with are from its own', async () => {
    const [near, far, above] = [await sampledAt(-20), await sampledAt(-23), await sampledAt(0)];
    expect(far.samplingLogpDifference - near.samplingLogpDifference).toBeCloseTo(3, 4);
    expect(near.samplingLogpDifference + above.samplingLogpDifference).toBeCloseTo(20, 4);
  });

  it.each([FULL, LORA])(
    'the KL to the base is zero at the start and grows: $mode',
    async (trainable) => {
      await withTrainer(
        async (trainer) => {
          const batch = grpo({ beta: 0.01 });
          const first = await trainer.gradientStep(batch);
          expect(first.kl).toBeCloseTo(0, 6);
          for (let i = 0; i < 3; i++) await trainer.gradientStep(batch);
          const later = await trainer.gradientStep(batch);
          expect(later.kl).toBeGreaterThan(1e-4);
        },
        { trainable },
      );
    },
  );

  it.each([FULL, LORA])(
    'the KL is to the reference that is given, not to the base: $mode',
    async (trainable) => {
      await withTrainer(
        async (trainer) => {
          for (let i = 0; i < 5; i++) await trainer.supervise(supervised());
          const reference = detached(trainer.trainedTensors());
          const batch = { ...grpo({ beta: 0.01 }), optimizer: { ...OPTIMIZER, learningRate: 0 } };
          expect((await trainer.gradientStep(batch)).kl).toBeGreaterThan(1e-4);
          expect((await trainer.gradientStep({ ...batch, reference })).kl).toBeLessThan(1e-6);
        },
        { trainable },
      );
    },
  );

  it('refuses a reference that lacks a tensor', async () => {
    await withTrainer(async (trainer) => {
      const batch = { ...grpo({ beta: 0.1 }), reference: new Map() };
      await expect(trainer.gradientStep(batch)).rejects.toMatchObject({ code: 'checkpoint' });
    });
  });

  it('trains adapters only: the base weights keep their bytes', async () => {
    const weights = initialWeights(TRAITS, 1);
    const before = copyOf(weights);
    await withTrainer(
      async (trainer) => {
        await trainer.gradientStep(grpo());
        await trainer.gradientStep(grpo());
        expect([...trainer.trainedTensors().keys()].every((name) => name.includes('lora_'))).toBe(
          true,
        );
      },
      { trainable: LORA, weights },
    );
    expect(copyOf(weights)).toEqual(before);
  });
});
