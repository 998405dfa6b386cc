import type { RunConfig } from '../contracts/config.ts';
import { originText, type RunOrigin } from '../contracts/fork.ts';

/** An id for a run that was given none, e.g. `dscl-20261124-093015`. */
export function newRunId(kind: string): string {
  const [day, time] = new Date()
    .toISOString()
    .replaceAll(/[-:]|\.\d+Z/g, '')
    .split('T');
  return `${kind}-${day}-${time}`;
}

/** What Temporal's UI shows of a run: options of its workflow. */
export function shownInTemporal(
  config: RunConfig,
  forkOf: RunOrigin | null,
): { readonly staticSummary: string; readonly staticDetails: string } {
  const what = `${config.sampler} on ${config.data}, policy ${config.policy}`;
  return {
    staticSummary: forkOf === null ? what : `fork of ${originText(forkOf)}: ${what}`,
    staticDetails: [
      ...(forkOf === null ? [] : [`- fork of ${originText(forkOf)}`]),
      `- policy ${config.policy}`,
      `- data ${config.data}`,
      `- sampler ${config.sampler}, curriculum ${config.curriculum}`,
      `- ${config.trainBatchSize} prompts a step, ${config.numGenerations} completions each`,
      `- seed ${config.seed}`,
    ].join('\n'),
  };
}

/** The origin of a fork as its workflow's memo has it. */
export function originMemo(forkOf: RunOrigin | null): { readonly forkOf?: string } {
  return forkOf === null ? {} : { forkOf: originText(forkOf) };
}
