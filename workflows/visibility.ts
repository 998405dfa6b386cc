import { defineSearchAttributeKey, type SearchAttributeUpdatePair } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import type { RunPlan } from '../contracts/activities.ts';
import { SEARCH_ATTRIBUTES } from '../contracts/temporal.ts';

/** Makes a workflow findable by run, policy, sampler, epoch and last reward, and a fork by its parent. */
export function publishSearchAttributes(
  plan: RunPlan,
  values: { readonly run: string; readonly epoch: number; readonly reward?: number | undefined },
): void {
  // Upserting a name that the server does not know would block the workflow for ever.
  if (plan.searchAttributes !== true) return;
  const { run, policy, sampler, epoch, reward, forkOf } = SEARCH_ATTRIBUTES;
  const pairs: SearchAttributeUpdatePair[] = [
    { key: defineSearchAttributeKey(run.name, run.type), value: values.run },
    { key: defineSearchAttributeKey(policy.name, policy.type), value: plan.policy },
    { key: defineSearchAttributeKey(sampler.name, sampler.type), value: plan.sampler },
    { key: defineSearchAttributeKey(epoch.name, epoch.type), value: values.epoch },
  ];
  if (values.reward !== undefined) {
    pairs.push({
      key: defineSearchAttributeKey(reward.name, reward.type),
      value: values.reward,
    });
  }
  if (plan.forkOf !== undefined) {
    pairs.push({ key: defineSearchAttributeKey(forkOf.name, forkOf.type), value: plan.forkOf });
  }
  upsertSearchAttributes(pairs);
}
