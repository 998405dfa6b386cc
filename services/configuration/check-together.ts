import type { RunConfig } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { refuseForService } from './backend-options.ts';
import type { Settings } from './canonical.ts';
import { spell } from './names.ts';
import { knownEvaluations, tooManyEvaluations } from './planned-evaluations.ts';

/** Activities of one workflow that Temporal lets wait or run at once, as it comes. */
const MOST_SHARDS = 2000;

/**
 * Checks what single ranges cannot say.
 *
 * @param settings as they were written, by path
 * @throws ToolsampleError `config`
 */
export function checkTogether(config: RunConfig, settings: Settings): void {
  const refuse = (path: string, problem: string, hint: string): never => {
    throw new ToolsampleError('config', problem, {
      at: { field: settings.get(path)?.written ?? spell(path, 'snake') },
      hint,
    });
  };
  refuseForService(config, refuse);
  const { heads, hiddenSize, keyValueHeads } = config.randomPolicy;
  if (hiddenSize % (2 * heads) !== 0)
    refuse(
      'randomPolicy.hiddenSize',
      `${hiddenSize} does not divide into ${heads} heads of even width`,
      `use a multiple of ${2 * heads}`,
    );
  if (heads % keyValueHeads !== 0)
    refuse(
      'randomPolicy.keyValueHeads',
      `${heads} heads cannot share ${keyValueHeads} key/value heads evenly`,
      'use a divisor of the number of heads',
    );
  if (config.levelMix.every((share) => share === 0))
    refuse('levelMix', 'all shares are 0', 'give at least one level a share');
  if (config.maxSteps === 0 && config.warmStart.length === 0)
    refuse('maxSteps', 'there would be no step', 'use -1 for no limit, or give a warm start');
  if (config.maxGeneratedTokens === 0)
    refuse('maxGeneratedTokens', 'there would be no step', 'use -1 for no limit');
  const evaluations = tooManyEvaluations(knownEvaluations(config));
  if (evaluations !== null) refuse('evalSchedule', evaluations.problem, evaluations.hint);
  if (config.bestMetric === 'suite' && config.evalSuite === 'none')
    refuse('bestMetric', 'there is no suite', 'name one: eval_suite');
  if (config.data === 'builtin' && config.corpusSize < config.trainBatchSize)
    refuse(
      'corpusSize',
      `${config.corpusSize} samples cannot fill a batch of ${config.trainBatchSize}`,
      'raise corpus_size or lower train_batch_size',
    );
  const groups = firstGroups(config);
  if (Math.ceil(groups / config.rolloutShardSize) > MOST_SHARDS)
    refuse(
      'rolloutShardSize',
      `the ${groups} groups that a step rolls out at first would be ${Math.ceil(groups / config.rolloutShardSize)} activities, ${MOST_SHARDS} can be under way at once`,
      `use at least ${Math.ceil(groups / MOST_SHARDS)}`,
    );
  const longest = config.maxPromptLength + config.maxCompletionLength;
  if (config.microBatchTokens < longest)
    refuse(
      'microBatchTokens',
      `${config.microBatchTokens} tokens do not hold one sequence (max_prompt_length ${config.maxPromptLength} + max_completion_length ${config.maxCompletionLength})`,
      `use at least ${longest}`,
    );
  if (config.rolloutPrecision === 'int8' && !['cpu', 'auto'].includes(config.device))
    refuse(
      'rolloutPrecision',
      `int8 is for the CPU, the device is ${config.device}`,
      'use float32, or device cpu',
    );
  if (config.rolloutPrecision === 'int8' && config.importanceSamplingCap === 0)
    refuse(
      'rolloutPrecision',
      'what int8 does to the probabilities of tokens is made up for by their importance weights, which importance_sampling_cap 0 switches off',
      'use float32, or leave importance_sampling_cap at 2',
    );
  if (config.gradientShards > 1 && config.trainMode !== 'lora')
    refuse(
      'gradientShards',
      'gradients of all weights are too large to be sent around',
      'use train_mode lora, or 1',
    );
  if (config.gradientShards > 1 && config.numIterations > 1)
    refuse(
      'gradientShards',
      `with num_iterations ${config.numIterations} the later gradients need the policy that the first one made`,
      'use 1 for either',
    );
  if (config.warmStart.length > 0 && config.warmStart.some(({ levels }) => levels.length === 0))
    refuse('warmStart', 'a phase has no level', 'name at least one level');
}

/** As far as that is known before the data is: a smaller file has fewer. */
function firstGroups({ data, corpusSize, trainBatchSize, oversample }: RunConfig): number {
  const groups = Math.ceil(trainBatchSize * oversample - 1e-9);
  return data === 'builtin' ? Math.min(groups, corpusSize) : groups;
}
