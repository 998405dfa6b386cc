import type { ModelTraits } from '../models/model-traits.ts';
import type { RopeScaling } from '../models/rope-scaling.ts';
import { count, fieldError, fieldsOf, positive, type ConfigFields } from './config-fields.ts';
import { inBrief } from './in-brief.ts';

const DEFAULT_THETA = 10_000;

/**
 * What a `config.json` says of rotary positions. Older ones have `rope_theta` and `rope_scaling`, those of transformers 5
 * have all of it in `rope_parameters`; where both scale, the older name counts, as there.
 * @throws ToolsampleError `checkpoint` for a scaling that is not implemented, or a missing number
 */
export function parseRotary(
  config: ConfigFields,
  contextLength: number,
  file: string,
): Pick<ModelTraits, 'ropeTheta' | 'ropeScaling'> {
  const scaling = fieldsOf(config['rope_scaling']);
  const field = Object.keys(scaling).length > 0 ? 'rope_scaling' : 'rope_parameters';
  const rope = fieldsOf(config[field]);
  const partial = rope['partial_rotary_factor'] ?? config['partial_rotary_factor'] ?? 1;
  if (partial !== 1) {
    throw fieldError(file, field, 'rotary positions on a part of each head are not supported');
  }
  const own = (rope['rope_theta'] ?? null) !== null;
  const ropeTheta = positive(own ? rope : config, 'rope_theta', file, DEFAULT_THETA);
  const type = rope['rope_type'] ?? rope['type'] ?? 'default';
  if (type === 'default') return { ropeTheta };
  if (type === 'linear') {
    return { ropeTheta, ropeScaling: { type, factor: positive(rope, 'factor', file) } };
  }
  if (type === 'llama3') {
    const original = 'original_max_position_embeddings';
    const ropeScaling = {
      type,
      factor: positive(rope, 'factor', file),
      lowFrequencyFactor: positive(rope, 'low_freq_factor', file),
      highFrequencyFactor: positive(rope, 'high_freq_factor', file),
      originalContext: count(
        config[original] === undefined ? rope : config,
        original,
        file,
        contextLength,
      ),
    } as const;
    if (ropeScaling.lowFrequencyFactor < ropeScaling.highFrequencyFactor) {
      return { ropeTheta, ropeScaling };
    }
    throw fieldError(file, field, 'low_freq_factor must be less than high_freq_factor');
  }
  throw fieldError(
    file,
    field,
    `rotary scaling ${inBrief(type)} is not supported (only "linear" and "llama3")`,
  );
}

/** The fields that {@link parseRotary} reads, in the spelling that all versions of transformers read. */
export function rotaryFields({
  ropeTheta,
  ropeScaling,
}: Pick<ModelTraits, 'ropeTheta' | 'ropeScaling'>): ConfigFields {
  return {
    rope_theta: ropeTheta,
    ...(ropeScaling === undefined ? {} : { rope_scaling: scalingFields(ropeScaling) }),
  };
}

function scalingFields(scaling: RopeScaling): ConfigFields {
  const common = { rope_type: scaling.type, factor: scaling.factor };
  if (scaling.type === 'linear') return common;
  return {
    ...common,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalContext,
  };
}
