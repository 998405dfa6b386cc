import { output, type Graph } from '../graph/graph.ts';
import { mul, neg, sumAll } from '../graph/operations.ts';
import {
  addGradients,
  buildPolicyGraph,
  PLAIN_FORM,
  type TrainingModel,
} from './training-graph.ts';

/**
 * Supervised loss and its gradient: −Σ weight·log p(token). Feeds of {@link buildPolicyGraph} and `weight` [R]
 * (1 / tokens of the batch makes it the mean). Fetches `loss` [] and the gradients.
 */
export function buildSupervisedGraph(model: TrainingModel, form = PLAIN_FORM): Graph {
  const policy = buildPolicyGraph(model, { entropy: false, gradient: true, ...form });
  const loss = neg(sumAll(mul(policy.perToken('weight'), policy.logprobs)));
  output(loss, 'loss');
  addGradients(policy, loss);
  return policy.graph;
}
