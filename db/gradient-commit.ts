import { and, eq, sql } from 'drizzle-orm';
import type { StepKey } from '../contracts/activities.ts';
import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { PolicyRef } from '../contracts/policy.ts';
import { commitCheckpoint } from './checkpoints.ts';
import type { Database } from './connection.ts';
import { dropGradientShards } from './gradient-shards.ts';
import { endRunWith } from './runs.ts';
import { steps } from './schema/steps.ts';
import { readRunAt } from './setting-changes.ts';
import { generatedTokensUpTo, lockStep, type StepRow } from './steps.ts';

/** What an update of the policy leaves behind. */
export interface GradientCommit {
  /** The policy after the step; the one before it when the step was skipped. */
  readonly policy: PolicyRef;
  /** Null: no group was kept, the policy stays as it was. */
  readonly update: {
    readonly loss: number;
    readonly gradNorm: number | null;
    readonly learningRate: number;
    readonly entropy: number;
    readonly kl: number | null;
    readonly clipRatioLow: number;
    readonly clipRatioHigh: number;
    readonly samplingLogpDifference: number;
    readonly trainedTokens: number;
    readonly optimizerSteps: number;
    readonly seconds: number;
    /** Advantages of the rollouts trained on. */
    readonly advantages: readonly {
      readonly rank: number;
      readonly index: number;
      readonly advantage: number;
    }[];
  } | null;
}

/**
 * Commits a step: the policy's checkpoint, the update's numbers, the advantages and, after an epoch's last step, the
 * epoch, all in one transaction; the first one wins. A step that spends the budget of tokens becomes the run's last one.
 * Returns the stored row of the step.
 *
 * @param stored where the policy's artifacts were put; null for a skipped step ({@link commitCheckpoint})
 * @throws ToolsampleError `service` when they are gone again: the update has to be made anew
 */
export async function commitGradientStep(
  db: Database,
  key: StepKey,
  commit: GradientCommit,
  stored: Pick<ArtifactStore, 'has'> | null,
): Promise<StepRow> {
  const { run, step, epoch } = key;
  const { policy, update } = commit;
  return db.transaction(async (tx) => {
    const before = await lockStep(tx, key);
    if (before.state === 'committed' || before.state === 'skipped') return before;
    await commitCheckpoint(
      tx,
      { run, step, slice: 0 },
      {
        policy,
        optimizerSteps: update?.optimizerSteps ?? 0,
        loss: update?.loss ?? null,
        trainedTokens: update?.trainedTokens ?? 0,
        seconds: update?.seconds ?? 0,
      },
      stored,
    );
    await dropGradientShards(tx, key);
    if (update !== null) await writeAdvantages(tx, key, update.advantages);
    const [row] = await tx
      .update(steps)
      .set({
        state: update === null ? 'skipped' : 'committed',
        committedAt: sql`now()`,
        gradientSeconds: update?.seconds ?? 0,
        ...(update === null
          ? {}
          : {
              loss: update.loss,
              gradNorm: update.gradNorm,
              learningRate: update.learningRate,
              entropy: update.entropy,
              kl: update.kl,
              clipRatioLow: update.clipRatioLow,
              clipRatioHigh: update.clipRatioHigh,
              samplingLogpDifference: update.samplingLogpDifference,
              trainedTokens: update.trainedTokens,
            }),
      })
      .where(and(eq(steps.run, run), eq(steps.step, step)))
      .returning();
    if (row === undefined) throw new Error('a locked step could not be updated');
    const { maxGeneratedTokens } = (await readRunAt(tx, run, step)).config;
    if (maxGeneratedTokens >= 0 && (await generatedTokensUpTo(tx, run, step)) >= maxGeneratedTokens)
      await endRunWith(tx, key);
    await tx.execute(sql`
      update epochs set
        state = 'completed', completed_at = now(), reward = t.reward, exact_match = t.exact_match,
        frac_reward_zero_std = t.frac_reward_zero_std, generated_tokens = t.generated_tokens
      from (
        select avg(reward) as reward, avg(exact_match) as exact_match,
          avg(frac_reward_zero_std) as frac_reward_zero_std, sum(generated_tokens) as generated_tokens
        from (select * from steps where run = ${run} and epoch = ${epoch} order by step) in_order
      ) t
      where epochs.run = ${run} and epochs.epoch = ${epoch} and epochs.last_step = ${step}`);
    return row;
  });
}

async function writeAdvantages(
  tx: Database,
  key: StepKey,
  advantages: readonly { rank: number; index: number; advantage: number }[],
): Promise<void> {
  await tx.execute(sql`
    update rollouts set advantage = t.advantage
    from unnest(
      ${sql.param(advantages.map((each) => each.rank))}::int[],
      ${sql.param(advantages.map((each) => each.index))}::int[],
      ${sql.param(advantages.map((each) => each.advantage))}::float8[]
    ) t (rank, index, advantage)
    where run = ${key.run} and step = ${key.step}
      and rollouts.rank = t.rank and rollouts.index = t.index`);
}
