import { Tensor as Value } from 'onnxruntime-node';
import { hashSeed, seededRandom } from '../../../contracts/hash.ts';
import type { TrainMode } from '../../../contracts/config.ts';
import { createGenerator } from '../../../policy/generation/generator.ts';
import { gradients } from '../../../policy/autodiff/gradients.ts';
import {
  createGraph,
  externalInitializer,
  input,
  output,
  scalar,
} from '../../../policy/graph/graph.ts';
import { matMul, mul, sumAll } from '../../../policy/graph/operations.ts';
import {
  floatData,
  floats,
  floatScalar,
  openSession,
  type Feeds,
  type Runtime,
} from '../../../policy/graph/session.ts';
import { initialWeights, type Weights } from '../../../policy/models/initial-weights.ts';
import type { ModelTraits } from '../../../policy/models/model-traits.ts';
import { planMicroBatches } from '../../../policy/training/micro-batches.ts';
import { sharedRows } from '../../../policy/training/packed-rows.ts';
import {
  addMicroBatch,
  applyGradients,
  createTrainingState,
  releaseSession,
  sessionFor,
  type TrainingSession,
  type TrainingState,
} from '../../../policy/training/training-state.ts';
import { PLAIN_FORM, type LayerForm } from '../../../policy/training/training-graph.ts';
import { tokenLogprobs } from '../../../policy/training/token-logprobs.ts';

/** A small policy with grouped heads, and with the parts that only some families have. */
const TRAITS: ModelTraits = {
  hidden: 16,
  layers: 1,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  ffn: 24,
  vocab: 40,
  ropeTheta: 100,
  rmsEps: 1e-5,
  tied: true,
  qkvBias: true,
  qkNorm: true,
};

function randomArray(seed: number, length: number, scale: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => scale * (2 * random() - 1));
}

/** Weights far enough from zero everywhere that every path carries a gradient. */
function livelyWeights(traits: ModelTraits): Weights {
  return new Map(
    [...initialWeights(traits, 5)].map(([name, { dims, data }]) => {
      const noise = randomArray(hashSeed(name), data.length, 0.3);
      return [name, { dims, data: data.map((x, i) => x + (noise[i] ?? 0)) }];
    }),
  );
}

const SEQUENCES = [
  { promptIds: [1, 2, 3], completionIds: [4, 5, 4, 4, 6] },
  { promptIds: [7], completionIds: [1, 1] },
  { promptIds: [9, 10, 11, 12], completionIds: [13, 14, 15] },
  { promptIds: [1, 2, 3], completionIds: [8, 2] },
];
const [MICRO] = planMicroBatches(
  SEQUENCES,
  sharedRows(SEQUENCES, { linear: 1, attention: 0 }, 1000),
  1000,
);

function lossFeeds(size: number): Feeds {
  const dims = [size];
  const around = (seed: number, centre: number): Feeds[string] =>
    floats(
      randomArray(seed, size, 1).map((x) => x + centre),
      dims,
    );
  return {
    weight: around(3, 1.5),
    advantage: around(4, 0),
    old_logprobs: around(15, -3),
    rollout_logprobs: around(6, -3),
    reference_logprobs: around(7, -3),
    on_policy: floatScalar(0),
    clip_low: floatScalar(0.8),
    clip_high: floatScalar(1.28),
    importance_cap: floatScalar(2),
    beta: floatScalar(0.3),
  };
}

/** Numbers by what they are. */
export type Computed = { [name: string]: number[] };

/** Forward, backward and one optimiser step of GRPO, and completions, of tiny policies. */
export async function computeOn(runtime: Runtime): Promise<Computed> {
  const results: Computed = {};
  await train(results, 'full', 'full', PLAIN_FORM, runtime);
  const dear = { recomputedLayers: 1, attentionParts: 3 };
  await train(results, 'lora, recomputed, attention in parts', 'lora', dear, runtime);
  await chunkedLoss(results, runtime);
  await packedProduct(results, runtime);
  await complete(results, runtime);
  return results;
}

/** A tiny policy to be trained, with adapters that are not zero. */
export async function trainingOn(mode: TrainMode, runtime: Runtime): Promise<TrainingState> {
  const state = await createTrainingState({
    traits: TRAITS,
    weights: livelyWeights(TRAITS),
    trainable: { mode, loraRank: 2, loraAlpha: 4, seed: 1 },
    runtime,
  });
  if (mode === 'lora') {
    state.parameters.data.set(randomArray(8, state.parameters.data.length, 0.3));
  }
  return state;
}

/** GRPO's loss, log-probabilities and gradients. Computed twice: gradients add to what is summed so far, in place. */
export async function grpoGradients(
  state: TrainingState,
  session: TrainingSession,
): Promise<Computed> {
  if (MICRO === undefined) throw new Error('one micro-batch is planned');
  const size = MICRO.targets.length;
  const computed: Computed = {};
  const fetches = {
    loss: floatScalar(0),
    entropy: floatScalar(0),
    kl: floatScalar(0),
    logprobs: floats(new Float32Array(size), [size]),
  };
  for (let i = 0; i < 2; i++) {
    const fetched = await addMicroBatch(state, session, MICRO, 0.9, lossFeeds(size), fetches);
    for (const what of Object.keys(fetches)) computed[what] = [...floatData(fetched, what)];
  }
  for (const [tensor, { data }] of state.gradients.views) {
    computed[`gradient of ${tensor}`] = [...data];
  }
  return computed;
}

async function train(
  results: Computed,
  name: string,
  mode: TrainMode,
  form: LayerForm,
  runtime: Runtime,
): Promise<void> {
  const state = await trainingOn(mode, runtime);
  const session = await sessionFor(state, 'grpo', form);
  for (const [what, values] of Object.entries(await grpoGradients(state, session))) {
    results[`${name}: ${what}`] = values;
  }
  // So large an ε that the step is as smooth as the gradient: m/√v alone is its sign, of rounding too where it is nearly zero.
  const norm = await applyGradients(state, {
    learningRate: 1e-2,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-2,
    weightDecay: 0.1,
    maxGradNorm: 1,
  });
  results[`${name}: gradient norm`] = [norm];
  results[`${name}: parameters after a step`] = [...state.parameters.data];
  results[`${name}: first moments`] = [...state.optimizer.first.data];
  results[`${name}: second moments`] = [...state.optimizer.second.data];
  await releaseSession(state);
  await state.optimizer.session.release();
}

/** The loss of a large vocabulary, gone through in chunks, and its gradients. */
async function chunkedLoss(results: Computed, runtime: Runtime): Promise<void> {
  const [rows, size, vocab] = [6, 8, 20];
  const graph = createGraph();
  const hidden = input(graph, 'hidden', 'float32', ['R', size]);
  const head = input(graph, 'head', 'float32', [vocab, size]);
  const targets = input(graph, 'targets', 'int32', ['R']);
  const options = { entropy: true, gradient: true, chunkRows: 8 };
  const { logprobs, entropies } = tokenLogprobs(hidden, head, targets, scalar(graph, 0.7), options);
  output(logprobs, 'logprobs');
  output(entropies(), 'entropies');
  const loss = sumAll(mul(logprobs, input(graph, 'weight', 'float32', ['R'])));
  gradients(loss, [hidden, head]).forEach((gradient, i) => {
    output(gradient, `gradient ${i}`);
  });
  const session = await openSession(graph, runtime, { name: 'chunked' });
  const fetched = await session.run(
    {
      hidden: floats(randomArray(1, rows * size, 2), [rows, size]),
      head: floats(randomArray(2, vocab * size, 2), [vocab, size]),
      targets: new Value('int32', Int32Array.of(0, 7, 8, 13, 19, 16), [rows]),
      weight: floats(randomArray(3, rows, 2), [rows]),
    },
    ['logprobs', 'entropies', 'gradient 0', 'gradient 1'],
  );
  for (const what of Object.keys(fetched))
    results[`chunked: ${what}`] = [...floatData(fetched, what)];
  await session.release();
}

/** A product with a matrix that comes with the session, as decoding's do where the policy is large. */
async function packedProduct(results: Computed, runtime: Runtime): Promise<void> {
  const graph = createGraph();
  const x = input(graph, 'x', 'float32', ['N', 8]);
  output(matMul(x, externalInitializer(graph, 'w', 'float32', [6, 8]), { transB: true }), 'y');
  const data = new Map([['w', randomArray(4, 48, 1)]]);
  const session = await openSession(graph, runtime, { name: 'packed', data });
  const fetched = await session.run({ x: floats(randomArray(5, 16, 1), [2, 8]) }, ['y']);
  results['packed product'] = [...floatData(fetched, 'y')];
  await session.release();
}

/** A few drawn tokens. */
async function complete(results: Computed, runtime: Runtime): Promise<void> {
  const generator = createGenerator({ traits: TRAITS, contextLength: 64, eosIds: [0], runtime });
  const prompts = [
    { ids: [1, 2, 3], seeds: [1, 2] },
    { ids: [7, 8, 9, 10, 11], seeds: [3] },
  ];
  // Drawn, not the likeliest: the distribution of every token is looked at.
  const sampling = { temperature: 0.9, topP: 1, maxNewTokens: 5 };
  const completions = await generator.generate(livelyWeights(TRAITS), prompts, sampling);
  results['tokens'] = completions.flatMap(({ ids }) => ids);
  results['their logprobs'] = completions.flatMap(({ logprobs }) => logprobs);
  await generator.close();
}
