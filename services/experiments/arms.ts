import type {
  DsclPart,
  ExperimentArm,
  ExperimentAsked,
  Protocol,
} from '../../contracts/experiment.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import type { CurriculumName, SamplerName } from '../../contracts/sampling.ts';

/** Rounds of backfill that a step of a fixed batch has at most: mastered corpora run out of groups with variance. */
const BATCH_ROUNDS = 8;

type Wanted = Pick<ExperimentAsked, 'samplers' | 'curricula' | 'without' | 'protocol'>;

/**
 * The arms of an experiment: every sampler with every curriculum, and DSCL without single parts.
 *
 * @throws ToolsampleError `config` when a part cannot be switched off under the protocol
 */
export function experimentArms({ samplers, curricula, without, protocol }: Wanted): {
  readonly arms: readonly ExperimentArm[];
  readonly notes: readonly string[];
} {
  const doubled = protocol === 'fixed-batch' && samplers.includes('uniform');
  const distinct = samplers.filter((sampler) => sampler !== 'dapo' || !doubled);
  const notes =
    distinct.length === samplers.length
      ? []
      : ['dapo is not run: with a fixed batch, uniform is the same (shuffle, filter, backfill)'];
  const whole = distinct.flatMap((sampler) =>
    curricula.map((curriculum) => arm(sampler, curriculum, protocol)),
  );
  const parts = without.map((part) => ablated(part, curricula.at(-1) ?? 'tdcl', protocol));
  const labels = new Set<string>();
  // `dscl without curriculum` may be among the others already.
  const arms = [...whole, ...parts].filter(
    (each) => !labels.has(each.arm) && labels.add(each.arm) !== undefined,
  );
  return { arms, notes };
}

/** The arm that others are compared with: plain uniform sampling where it is, else the first. */
export function baselineOf(arms: readonly ExperimentArm[]): string {
  const uniform = arms.filter(({ settings }) => settings['sampler'] === 'uniform');
  const plain = uniform.find(({ settings }) => settings['curriculum'] === 'none');
  return (plain ?? uniform[0] ?? arms[0])?.arm ?? '';
}

/** Letters, digits and dashes. */
export function armSlug(arm: string): string {
  return arm.replaceAll(/[^a-z-]+/g, '-');
}

function arm(sampler: SamplerName, curriculum: CurriculumName, protocol: Protocol): ExperimentArm {
  return {
    arm: curriculum === 'none' ? sampler : `${sampler} + ${curriculum}`,
    settings: { sampler, curriculum, ...protocolSettings(protocol) },
  };
}

/** Filtering is the sampler's own choice where prompts are fixed; without it, a fixed batch could not be. */
function protocolSettings(protocol: Protocol): RunConfigInput {
  return protocol === 'fixed-prompts'
    ? { oversample: 1, maxBackfillRounds: 0 }
    : { filterGroups: true, oversample: 1, maxBackfillRounds: BATCH_ROUNDS };
}

function ablated(part: DsclPart, curriculum: CurriculumName, protocol: Protocol): ExperimentArm {
  if (part === 'curriculum') return arm('dscl', 'none', protocol);
  const whole = arm('dscl', curriculum, protocol);
  if (part === 'filtering' && protocol === 'fixed-batch') {
    throw new ToolsampleError('config', 'a fixed batch cannot do without filtering', {
      at: { field: 'without' },
      hint: 'leave filtering out, or use the protocol fixed-prompts',
    });
  }
  const change = part === 'filtering' ? { filterGroups: false } : { 'sampling.ablate': [part] };
  return { arm: `${whole.arm} without ${part}`, settings: { ...whole.settings, ...change } };
}
