import { floatData, openSession } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { tensorSpecs } from '../models/model-traits.ts';
import { microBatchFeeds } from './micro-batch-feeds.ts';
import type { MicroBatch } from './micro-batches.ts';
import { buildLogprobGraph, type LayerForm } from './training-graph.ts';
import { namedFeeds, type TrainingState } from './training-state.ts';

/** The policy that KL is measured to, ready to be asked. */
export interface ReferencePass {
  /** Log-probabilities of the micro-batch's targets. */
  readonly logprobs: (micro: MicroBatch, temperature: number) => Promise<Float32Array>;
  /** Frees what it computed with. */
  readonly release: () => Promise<void>;
}

/**
 * Opens a forward pass of the base policy. Its session is not kept from step to step, unlike those that train: it opens in less than a
 * hundredth of their time, and what its allocator holds would lie beside theirs.
 *
 * @param form that of the training graph: attention over long rows takes as little memory here as there
 */
export async function openReference(
  state: TrainingState,
  base: Weights,
  form: LayerForm,
): Promise<ReferencePass> {
  const { traits } = state.model;
  const { attentionParts } = form;
  const feeds = namedFeeds(tensorSpecs(traits), base);
  const graph = buildLogprobGraph({ traits, lora: null }, attentionParts);
  const session = await openSession(graph, state.runtime, { name: 'reference' });
  return {
    logprobs: async (micro, temperature) => {
      const own = microBatchFeeds(state.rotations, micro, temperature, attentionParts);
      return floatData(await session.run({ ...feeds, ...own }, ['logprobs']), 'logprobs');
    },
    release: () => session.release(),
  };
}
