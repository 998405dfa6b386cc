import type { RunConfig } from '../../contracts/config.ts';

/** The Tinker API has no setting for it; services multiply adapters by this, divided by the rank. */
const SERVICE_LORA_ALPHA = 32;

/**
 * Refuses what a run with the backend `tinker` cannot do: options that the API has no words for, or whose loss could not be computed
 * from what it answers.
 *
 * @param refuse - Told the canonical path, the problem and what to do instead; throws.
 */
export function refuseForService(
  config: RunConfig,
  refuse: (path: string, problem: string, hint: string) => never,
): void {
  if (config.backend !== 'tinker') return;
  if (config.policy === 'builtin' || config.policy === 'random')
    refuse(
      'policy',
      `with the backend tinker it cannot be ${config.policy}: the weights are the service's`,
      "name a folder with the base model's tokenizer.json, tokenizer_config.json and config.json",
    );
  if (config.trainMode !== 'lora')
    refuse(
      'trainMode',
      'a service with the Tinker API trains LoRA adapters only',
      'use lora, or the backend onnx',
    );
  if (config.loraAlpha !== SERVICE_LORA_ALPHA)
    refuse(
      'loraAlpha',
      `the Tinker API has no such setting: services use ${SERVICE_LORA_ALPHA}`,
      'leave it out, or use the backend onnx',
    );
  if (config.beta > 0)
    refuse(
      'beta',
      'the Tinker API has no loss with a KL term to a reference policy',
      'use 0, or the backend onnx',
    );
  if (config.temperature !== 1)
    refuse(
      'temperature',
      "a service's log-probabilities are those of temperature 1, so that the loss of another one cannot be computed",
      'use 1, or the backend onnx',
    );
  if (config.rolloutPrecision !== 'float32')
    refuse(
      'rolloutPrecision',
      'a training service decides itself how it computes',
      'leave it out, or use the backend onnx',
    );
  if (config.gradientShards > 1)
    refuse(
      'gradientShards',
      'a training service divides a gradient step itself',
      'use 1, or the backend onnx',
    );
  if (config.warmStart.length > 0)
    refuse(
      'warmStart',
      'there is no supervised cold start with the backend tinker',
      'leave it out and name a base model that follows instructions, or use the backend onnx',
    );
}
