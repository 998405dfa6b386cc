/** How a name is spelled back to the user: the way they wrote theirs. */
export type NameStyle = 'snake' | 'kebab' | 'camel';

/**
 * Names that users know from TRL, verl and ToolRL, or try first, for keys of ours that mean the same. Compared folded (see
 * {@link foldName}), so every spelling counts; dots are nesting in a file.
 */
export const ALIASES: { readonly [alias: string]: string } = {
  model: 'policy',
  model_name_or_path: 'policy',
  lora_r: 'loraRank',
  dataset: 'data',
  'data.train_files': 'data',
  train_files: 'data',
  'data.val_files': 'evalData',
  val_files: 'evalData',
  'data.max_prompt_length': 'maxPromptLength',
  'data.max_response_length': 'maxCompletionLength',
  max_response_length: 'maxCompletionLength',
  max_new_tokens: 'maxCompletionLength',
  'data.train_batch_size': 'trainBatchSize',
  epochs: 'numTrainEpochs',
  'trainer.total_epochs': 'numTrainEpochs',
  total_epochs: 'numTrainEpochs',
  'trainer.total_training_steps': 'maxSteps',
  total_training_steps: 'maxSteps',
  'rollout.n': 'numGenerations',
  'rollout.temperature': 'temperature',
  'rollout.top_p': 'topP',
  'algorithm.filter_groups.enable': 'filterGroups',
  'filter_groups.enable': 'filterGroups',
  'actor.clip_ratio_low': 'epsilon',
  clip_ratio_low: 'epsilon',
  epsilon_low: 'epsilon',
  'actor.clip_ratio_high': 'epsilonHigh',
  clip_ratio_high: 'epsilonHigh',
  kl_coef: 'beta',
  'actor.kl_loss_coef': 'beta',
  kl_loss_coef: 'beta',
  'actor.ppo_epochs': 'numIterations',
  ppo_epochs: 'numIterations',
  tis_imp_ratio_cap: 'importanceSamplingCap',
  vllm_importance_sampling_cap: 'importanceSamplingCap',
  lr: 'learningRate',
  'actor.optim.lr': 'learningRate',
  'optim.lr': 'learningRate',
  'actor.optim.lr_scheduler_type': 'lrSchedulerType',
  'optim.lr_scheduler_type': 'lrSchedulerType',
  'actor.optim.warmup_style': 'lrSchedulerType',
  warmup_style: 'lrSchedulerType',
  lr_warmup_steps: 'warmupSteps',
  'actor.optim.lr_warmup_steps': 'warmupSteps',
  'actor.optim.weight_decay': 'weightDecay',
  grad_clip: 'maxGradNorm',
  'actor.grad_clip': 'maxGradNorm',
  ablate: 'sampling.ablate',
  // What `--eval-schedule 4` means.
  eval_every: 'evalSchedule',
};

/** verl nests everything below this; ToolRL's scripts do too. */
const IGNORED_PREFIX = 'actorrolloutref';

/** Names of TRL and verl that have no equal here, and what to do instead. */
const GUIDANCE: { readonly [name: string]: string } = {
  max_num_gen_batches:
    'use max_backfill_rounds, which does not count the first round (verl 3 is 2 here)',
  loss_agg_mode: 'use loss_type: token-mean is dapo, seq-mean-token-mean is grpo',
  norm_adv_by_std_in_grpo: 'use scale_rewards: true is group, false is none',
  use_kl_loss: 'set beta; 0 switches the KL term off',
  per_device_train_batch_size: 'use train_batch_size, which counts prompts, not completions',
  gradient_accumulation_steps: 'use micro_batch_tokens; a step always covers its whole batch',
  steps_per_generation: 'not needed: every batch is generated for its own step',
  importance_sampling_level: 'not needed: importance weights are per token',
};

/** `num_generations`, `num-generations`, `numGenerations` → `numgenerations`. */
export function foldName(name: string): string {
  const folded = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return folded.startsWith(IGNORED_PREFIX) ? folded.slice(IGNORED_PREFIX.length) : folded;
}

/** Writes a canonical path in a style; snake and camel keep the dots of nesting, kebab (flags) has none. */
export function spell(path: string, style: NameStyle): string {
  if (style === 'camel') return path;
  const separator = style === 'snake' ? '_' : '-';
  const words = path.replaceAll(/[A-Z]/g, (letter) => `${separator}${letter.toLowerCase()}`);
  // Digits that end a word start none of their own: adamBeta1 is adam_beta1.
  return style === 'kebab' ? words.replaceAll('.', '-') : words;
}

/** The style in which a name is written; snake where it does not show. */
export function styleOf(written: string): NameStyle {
  if (written.includes('-')) return 'kebab';
  return /[a-z][A-Z]/.test(written) ? 'camel' : 'snake';
}

/** Advice for a name that is not ours: what to use instead, or the nearest known name. Undefined when nothing is near. */
export function adviceFor(
  written: string,
  known: Iterable<readonly [string, string]>,
): string | undefined {
  const folded = foldName(written);
  // Nested as in verl or bare: the last part tells.
  const last = foldName(written.split('.').at(-1) ?? written);
  const guidance = Object.entries(GUIDANCE).find(([name]) => foldName(name) === last);
  if (guidance !== undefined) return guidance[1];
  const nearest = nearestName(folded, known);
  return nearest === undefined ? undefined : `did you mean ${spell(nearest, styleOf(written))}?`;
}

/** The path whose folded name is nearest; at most a third of the letters may differ. */
function nearestName(
  folded: string,
  known: Iterable<readonly [string, string]>,
): string | undefined {
  let best: { path: string; distance: number } | undefined;
  for (const [name, path] of known) {
    const most = Math.max(1, Math.floor(Math.max(folded.length, name.length) / 3));
    // The distance is at least the difference in length: a name of a million letters is not compared letter by letter.
    if (Math.abs(folded.length - name.length) > most) continue;
    const distance = editDistance(folded, name);
    if (distance > most) continue;
    if (best === undefined || distance < best.distance) best = { path, distance };
  }
  return best?.path;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(replace, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
