import { floatData, openSession } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { tensorSpecs } from '../models/model-traits.ts';
import { microBatchFeeds } from './micro-batch-feeds.ts';
import type { MicroBatch } from './micro-batches.ts';
import { buildLogprobGraph, trainableSpecs, type LayerForm } from './training-graph.ts';
import { namedFeeds, type TrainingState } from './training-state.ts';

/** The policy that KL is measured to, ready to be asked. */
export interface ReferencePass {
  /** Log-probabilities of the micro-batch's targets. */
  readonly logprobs: (micro: MicroBatch, temperature: number) => Promise<Float32Array>;
  /** Frees what it computed with. */
  readonly release: () => Promise<void>;
}

/**
 * Opens a forward pass of the policy with these trained tensors, or of the base. Its session is not kept from step to step, unlike those
 * that train: it opens in less than a hundredth of their time, and what its allocator holds would lie beside theirs.
 *
 * @param trained all tensors, or the adapters; left out: those of the base
 * @param form that of the training graph: attention over long rows takes as little memory here as there
 */
export async function openReference(
  state: TrainingState,
  trained: Weights | undefined,
  form: LayerForm,
): Promise<ReferencePass> {
  const { traits } = state.model;
  const { attentionParts } = form;
  // Without adapters of its own the base is computed without any.
  const lora = trained === undefined ? null : state.model.lora;
  const model = { traits, lora };
  const feeds = {
    ...namedFeeds(tensorSpecs(traits), state.base),
    ...(trained === undefined ? {} : namedFeeds(trainableSpecs(model), trained)),
  };
  const graph = buildLogprobGraph(model, attentionParts);
  const session = await openSession(graph, state.runtime, { name: 'reference' });
  return {
    logprobs: async (micro, temperature) => {
      const own = microBatchFeeds(state.rotations, micro, temperature, attentionParts);
      return floatData(await session.run({ ...feeds, ...own }, ['logprobs']), 'logprobs');
    },
    release: () => session.release(),
  };
}
