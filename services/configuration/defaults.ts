/** The choices that other defaults depend on. */
export interface Situation {
  readonly policy: string;
  readonly data: string;
  readonly trainMode: string;
  readonly sampler: string;
  readonly filterGroups: boolean;
}

/** Defaults that differ from the built-in run's, by canonical path. All [ours]. */
export interface SituationalDefaults {
  readonly [path: string]: number | string | boolean | undefined;
}

/**
 * Defaults for a user's own policy or data, and for other samplers than `dscl`; everything else keeps the schema's.
 * The built-in policy's context is 128 tokens; a pre-trained one reads real prompts and wants a gentler learning rate.
 */
export function lengthDefaults(policy: string, data: string): SituationalDefaults {
  const small = policy === 'builtin' || (policy === 'random' && data === 'builtin');
  return small ? {} : { maxPromptLength: 1024, maxCompletionLength: 256 };
}

/** A training service trains adapters only. */
export function backendDefaults(backend: unknown): SituationalDefaults {
  return backend === 'tinker' ? { trainMode: 'lora' } : {};
}

/** Whether groups are filtered by default: plain GRPO (`uniform`) does not. */
export function filterDefault(sampler: string): boolean {
  return sampler !== 'uniform';
}

/** The rest, once filtering is decided. */
export function situationalDefaults(situation: Situation): SituationalDefaults {
  return {
    ...(ownPolicy(situation.policy)
      ? {
          learningRate: situation.trainMode === 'lora' ? 1e-4 : 1e-5,
          // Logits of a large vocabulary dominate memory.
          microBatchTokens: 2048,
        }
      : {}),
    ...(situation.data === 'builtin' ? {} : { evalSize: 100, evalSchedule: 'epoch' }),
    ...backfillDefaults(situation),
  };
}

/** Defaults of one warm-start phase. */
export function phaseDefaults(
  situation: Pick<Situation, 'policy' | 'data' | 'trainMode'>,
  phase: { readonly learningRate?: unknown },
): SituationalDefaults {
  const own = ownPolicy(situation.policy);
  const pretrained = situation.trainMode === 'lora' ? 2e-4 : 2e-5;
  const learningRate = own ? pretrained : 2e-3;
  const first = typeof phase.learningRate === 'number' ? phase.learningRate : learningRate;
  return {
    data: situation.data,
    learningRate,
    finalLearningRate: first / 10,
    batchTokens: own ? 2048 : 1000,
  };
}

function backfillDefaults(situation: Situation): SituationalDefaults {
  // Without filtering every group is kept: there is nothing to make up for.
  if (!situation.filterGroups) return { oversample: 1, maxBackfillRounds: 0 };
  if (situation.sampler === 'dapo') return { maxBackfillRounds: 4 };
  return ownPolicy(situation.policy) ? { maxBackfillRounds: 1 } : {};
}

function ownPolicy(policy: string): boolean {
  return policy !== 'builtin' && policy !== 'random';
}
