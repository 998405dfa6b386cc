import { z } from 'zod';
import { checkValue } from '../../contracts/checked-value.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { ForkAsked, ForkPoint } from '../../contracts/fork.ts';
import { LONGEST_NAME } from '../../contracts/requests.ts';

/** Of an id at most, as Temporal has it. */
const LONGEST_RUN = 1000;

const forkSchema = z
  .strictObject({
    run: z.string().min(1).max(LONGEST_RUN),
    epoch: z.int().min(0).optional(),
    step: z.int().min(0).optional(),
    by: z.string().min(1).max(LONGEST_NAME).optional(),
  })
  .refine(({ epoch, step }) => (epoch === undefined) !== (step === undefined));

export interface ForkInput {
  readonly asked: ForkAsked;
  readonly at: ForkPoint;
  /** What the fork changes of its parent's settings, in any spelling; not looked at yet. */
  readonly settings: RunConfigInput;
}

/**
 * Takes what a run is started with apart where it is a fork of another one; null where it is a configuration.
 *
 * @throws ToolsampleError `config` when the field `fork` is not as it should be
 */
export function forkInput(input: RunConfigInput): ForkInput | null {
  const { fork, ...settings } = input;
  if (fork === undefined || fork === null) return null;
  const { data } = checkValue(forkSchema, fork);
  if (data === undefined) {
    throw new ToolsampleError('config', 'must name a run, and either an epoch or a step of it', {
      at: { field: 'fork' },
      hint: 'e.g. {"fork": {"run": "my-run", "epoch": 2}, "learning_rate": 1e-5}',
    });
  }
  const { run, epoch, step, by } = data;
  const at = epoch === undefined ? { step: step ?? 0 } : { epoch };
  return { asked: { run, epoch, step, by }, at, settings };
}
