import { output, type Graph, type Tensor } from '../graph/graph.ts';
import {
  add,
  and,
  clip,
  exp,
  less,
  minimum,
  mul,
  neg,
  stopGradient,
  sub,
  sumAll,
  toFloat,
  where,
} from '../graph/operations.ts';
import {
  addGradients,
  buildPolicyGraph,
  PLAIN_FORM,
  type TrainingModel,
} from './training-graph.ts';

/** Log-ratios are limited to ± this before they are exponentiated. */
const LOG_RATIO_LIMIT = 20;

const ratio = (a: Tensor, b: Tensor): Tensor =>
  exp(clip(sub(a, b), -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT));

/** The feeds of the GRPO graph besides {@link buildPolicyGraph}'s: one value per predicted token, [R]. */
const GRPO_TOKEN_FEEDS = [
  /** Advantage of the token's completion. */
  'advantage',
  /** Weight in the sum over tokens; expresses how a loss type averages. */
  'weight',
  /** Log-probability before the update, by the trainer's own forward pass. */
  'old_logprobs',
  /** Log-probability at sampling. */
  'rollout_logprobs',
  /** Log-probability under the reference policy. */
  'reference_logprobs',
] as const;

/** Its further feeds of one number each. */
const GRPO_NUMBER_FEEDS = [
  /** 1: the current log-probabilities are the old ones (first update on a batch), `old_logprobs` is not looked at. */
  'on_policy',
  /** 1 − ε and 1 + ε_high. */
  'clip_low',
  'clip_high',
  /** Cap of the truncated importance weight; 0: no weight. */
  'importance_cap',
  'beta',
] as const;

/** What it fetches besides gradients: sums over the predicted tokens, and `logprobs` [R]. */
export const GRPO_SUMS = ['loss', 'entropy', 'kl', 'clipped_low', 'clipped_high'] as const;

/**
 * GRPO's loss and its gradient [spec §5]:
 * Σ weight·(−min(r·A, clip(r, low, high)·A)·w + β·k3), r = exp(logp − old), w = min(exp(old − rollout), cap) without gradient,
 * k3 = exp(ref − logp) − (ref − logp) − 1.
 */
export function buildGrpoGraph(model: TrainingModel, form = PLAIN_FORM): Graph {
  const policy = buildPolicyGraph(model, { entropy: true, gradient: true, ...form });
  const { logprobs } = policy;
  const token = new Map(GRPO_TOKEN_FEEDS.map((name) => [name, policy.perToken(name)]));
  const number = new Map(GRPO_NUMBER_FEEDS.map((name) => [name, policy.number(name)]));
  const feed = (name: (typeof GRPO_TOKEN_FEEDS)[number]): Tensor => token.get(name) as Tensor;
  const setting = (name: (typeof GRPO_NUMBER_FEEDS)[number]): Tensor => number.get(name) as Tensor;

  const advantage = feed('advantage');
  const current = stopGradient(logprobs);
  const old = where(less(0.5, setting('on_policy')), current, feed('old_logprobs'));
  const r = ratio(logprobs, old);
  const low = setting('clip_low');
  const high = setting('clip_high');
  const surrogate = minimum(mul(r, advantage), mul(clip(r, low, high), advantage));
  const cap = setting('importance_cap');
  const truncated = minimum(ratio(old, feed('rollout_logprobs')), cap);
  const importance = where(less(0, cap), truncated, 1);
  const gap = clip(sub(feed('reference_logprobs'), logprobs), -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT);
  const kl = sub(sub(exp(gap), gap), 1);
  const perToken = add(neg(mul(surrogate, importance)), mul(setting('beta'), kl));
  const loss = sumAll(mul(feed('weight'), perToken));

  output(loss, 'loss');
  output(sumAll(policy.entropies()), 'entropy');
  output(sumAll(kl), 'kl');
  output(sumAll(toFloat(and(less(r, low), less(advantage, 0)))), 'clipped_low');
  output(sumAll(toFloat(and(less(high, r), less(0, advantage)))), 'clipped_high');
  output(logprobs, 'logprobs');
  addGradients(policy, loss);
  return policy.graph;
}
